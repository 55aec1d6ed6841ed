"""What things are: records, events, items, verdicts, outcomes. Touches nothing."""
