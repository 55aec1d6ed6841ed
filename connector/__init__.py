"""Carries one Kafka consumer group's commerce events to one vendor, and loses none."""

__version__ = "0.1.0"
