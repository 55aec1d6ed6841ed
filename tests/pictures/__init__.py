"""The pictures of the docs, taken of a real run: status page and dashboards. `make pictures` makes them."""
