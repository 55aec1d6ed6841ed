"""The only room that knows Avro and the JSON form: bytes to events and back, schema registry."""
