"""The real servers that tests need, on this machine: Apache Kafka and a schema registry, fetched by Maven."""
