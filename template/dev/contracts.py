"""Writes the REST contract of each handler module, and the page that describes its problems.

`python -m dev.contracts` writes them; `--check` fails where they are not what the code says.
"""

import argparse
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from acme_orders import entrypoints
from acme_orders.bootstrap import Service
from acme_orders.entrypoints import rest
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import InvalidField
from acme_orders.platform.domain import InvalidTenant
from acme_orders.platform.rest.app import RestApp
from acme_orders.platform.rest.app import handler_modules
from acme_orders.platform.rest.problems import MEDIA_TYPE
from acme_orders.platform.rest.problems import status_of
from acme_orders.platform.rest.problems import title_of
from acme_orders.platform.rest.problems import type_of

PACKAGE = rest.__name__.partition(".")[0]
ROOT = Path(__file__).parents[1]
CONTRACTS = ROOT / "contracts" / "rest"
PROBLEMS = ROOT / "docs" / "reference" / "problems"
OTHER_PROCESSES = {each.name for each in iter_modules(entrypoints.__path__)} - {"rest"}
NEVER_SHOWN = {InvalidField, InvalidTenant}
"""They reach callers as `invalid-request` and as `token-refused`."""


class Unopened(Service):
    """Registering routes takes a service's parts, and asks nothing of them."""

    def __getattr__(self, name: str) -> None:
        return None


def contract(module: ModuleType) -> dict[str, Any]:
    """Return the OpenAPI document of one handler module alone."""
    app = RestApp(owner(module).capitalize())
    module.register(app, Unopened())
    return app.openapi()


def owner(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def files() -> Iterator[tuple[Path, str]]:
    """Yield every file with the text that it must have."""
    modules = list(handler_modules(rest))
    # Only now, when the modules are imported, does Python know all their failures.
    shown = [failure for failure in failures() if failure not in NEVER_SHOWN]
    platform = [failure for failure in shown if ".platform." in failure.__module__]
    for module in modules:
        document = contract(module)
        text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
        yield CONTRACTS / f"{owner(module)}.json", text + "\n"
        named = set(problem_types(document))
        own = [each for each in shown if type_of(each) in named and each not in platform]
        yield PROBLEMS / f"{owner(module)}.md", page(owner(module).capitalize(), own)
    yield PROBLEMS / "platform.md", page("Every API of the platform", platform)


def failures() -> list[type[Failure]]:
    """Return the failures of all modules that REST needs, by their codes."""
    found: set[type[Failure]] = set()
    waiting: list[type[Failure]] = [Failure]
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            package, *path = each.__module__.split(".")
            # A test may have failures of its own.
            ours = package == PACKAGE and not OTHER_PROCESSES & set(path)
            if ours and not each.__subclasses__():
                found.add(each)
    return sorted(found, key=lambda failure: failure.code())


def problem_types(document: Any) -> Iterator[str]:
    """Yield the `type` of each problem that the document's operations may answer with."""
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                content = response.get("content", {}).get(MEDIA_TYPE, {})
                for example in content.get("examples", {}).values():
                    yield example["value"]["type"]


def page(title: str, described: list[type[Failure]]) -> str:
    sections = [
        f"## {title_of(failure)}\n\n"
        f"`{type_of(failure)}`, status {status_of(failure)}\n\n"
        f"{inspect.cleandoc(failure.__doc__ or '')}\n"
        for failure in described
    ]
    return "\n".join([f"# Problems: {title}\n", *sections])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.contracts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale = [
        (path, text)
        for path, text in files()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        print(f"{path.relative_to(ROOT)} {'is not what the code says' if check else 'is written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
