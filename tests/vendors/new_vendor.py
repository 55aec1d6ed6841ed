"""Makes the skeleton of a destination: `make new-vendor NAME=acme`.

Its tests fail until it is filled: what is missing raises, and says in which file. docs/add-a-destination.md
goes through it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

SKELETON = Path(__file__).parent / "skeleton"
NAME = re.compile(r"[a-z][a-z0-9]*")


def make(name: str, root: Path) -> list[Path]:
    """Write the files of a new destination below `root`, and its line in the table. What is there already is
    never overwritten: raises FileExistsError, and ValueError for a name that can't be a package's."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name} must be lower-case letters and digits, beginning with a letter")
    folders = {"vendor": root / "connector" / "vendors" / name, "tests": root / "tests" / "vendors" / name}
    for folder in folders.values():
        if folder.exists():
            raise FileExistsError(f"{folder} is there already")
    written = []
    for part, folder in folders.items():
        for template in sorted((SKELETON / part).rglob("*.txt")):
            file = folder / template.relative_to(SKELETON / part).with_suffix("")
            file = file.with_name(_named(file.name, name))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_named(template.read_text(), name))
            written.append(file)
    _list(name, root / "connector" / "vendors" / "__init__.py")
    return written


def _named(text: str, name: str) -> str:
    return text.replace("acme", name).replace("Acme", name.capitalize())


def _list(name: str, table: Path) -> None:
    """One import and one line in the table of destinations."""
    kind = name.capitalize()
    text = table.read_text()
    imports = [line for line in text.splitlines() if line.startswith("from connector.vendors.")]
    ours = f"from connector.vendors.{name} import {kind}"
    text = text.replace("\n".join(imports), "\n".join(sorted([*imports, ours])), 1)
    opening = "DESTINATIONS: dict[str, type[Destination]] = {\n"
    table.write_text(text.replace(opening, f"{opening}    {kind}.name: {kind},\n", 1))


def main(arguments: list[str], root: Path) -> str | None:
    """Make it and say what comes next; what is wrong, if something is."""
    match arguments:
        case [name]:
            try:
                written = make(name, root)
            except (FileExistsError, ValueError) as error:
                return f"new-vendor: {error}"
            for path in written:
                print(path.relative_to(root))
            print(f"next: make vendor-test NAME={name} (what each part is: docs/add-a-destination.md)")
            return None
        case _:
            return "usage: make new-vendor NAME=acme (lower-case letters and digits)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
