"""The only room that talks to Kafka: polling, assignment, frontier, commit, dead letters."""
