"""The promises together: real processes, seeded faults, and an oracle that counts every record."""
