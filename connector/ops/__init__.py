"""The only room an operator reads: metrics, logs, health, watchdog."""
