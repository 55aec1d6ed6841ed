"""Makes the table of values in the chart's README from `values.yaml`, and brings what is made up to date.

`make helm-update` runs it.
"""

from __future__ import annotations

import json

from tests.helm import values_schema
from tests.helm.chart import README, SCHEMA, values

BEGIN = "<!-- values: made by `make helm-update` from values.yaml; change the comments there -->"
END = "<!-- end of values -->"


def table() -> str:
    """A row a value."""
    rows = ["| value | default | what it is for |", "| --- | --- | --- |"]
    for value in values():
        default = json.dumps(value.default, ensure_ascii=False)
        rows.append(f"| `{'.'.join(value.path)}` | `{default}` | {value.text} |")
    return "\n".join(rows)


def page() -> str:
    """The README with the table as it should be."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    assert after, f"{README} has lost its markers"
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    SCHEMA.write_text(values_schema.text())
    README.write_text(page())
