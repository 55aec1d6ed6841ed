"""What an operator is told: alerts, dashboards and their words, on real Prometheus tools."""
