"""Updates: a toggled flag gives what a fresh copy gives, and the team's own files stay as they are."""

from pathlib import Path
from typing import Any

import copier
import pytest

from tests.conftest import Render
from tests.conftest import commit
from tests.conftest import contents
from tests.conftest import git


def update(service: Path, **answers: Any) -> None:
    copier.run_update(
        service,
        data=answers,
        defaults=True,
        overwrite=True,
        unsafe=True,
        quiet=True,
        vcs_ref=copier.VcsRef.CURRENT,
    )


@pytest.mark.parametrize("example", [True, False], ids=["example", "no example"])
@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_toggling_grpc_gives_what_a_fresh_copy_gives(
    render: Render, on: bool, example: bool
) -> None:
    service = render(new=True, grpc=not on, example=example)
    commit(service, "Start")

    update(service, grpc=on)

    assert git(service, "ls-files", "--unmerged") == ""
    assert contents(service) == contents(render(grpc=on, example=example))


def test_toggling_a_flag_there_and_back_changes_nothing(render: Render) -> None:
    service = render(new=True, grpc=False)
    commit(service, "Start")

    update(service, grpc=True)
    commit(service, "Add gRPC")
    update(service, grpc=False)

    assert contents(service) == contents(render(grpc=False))


def test_what_the_team_made_of_the_example_survives_an_update(render: Render) -> None:
    service = render(new=True, grpc=False)
    edited = service / "src/acme_orders/domain/orders.py"
    deleted = service / "src/acme_orders/domain/money.py"
    own = service / "src/acme_orders/domain/baskets.py"
    edited.write_text('"""Ours."""\n')
    deleted.unlink()
    own.write_text('"""Ours too."""\n')
    commit(service, "Replace the example")
    untouched = (service / "src/acme_orders/application/orders.py").read_text()

    update(service, grpc=True)

    assert edited.read_text() == '"""Ours."""\n'
    assert not deleted.exists()
    assert own.read_text() == '"""Ours too."""\n'
    assert (service / "src/acme_orders/application/orders.py").read_text() == untouched
    assert git(service, "ls-files", "--unmerged") == ""


def test_a_lock_that_the_team_made_anew_survives_an_update(render: Render) -> None:
    service = render(new=True, grpc=False)
    lock = service / "requirements/main.txt"
    lock.write_text("# ours\n")
    commit(service, "Lock")

    update(service, grpc=True)

    assert lock.read_text() == "# ours\n"
    assert (service / "requirements/grpc.txt").is_file()


def test_an_edit_beside_a_block_merges_with_a_toggle(render: Render) -> None:
    service = render(new=True, grpc=False)
    project = service / "pyproject.toml"
    marker = "    # This service's own; then `make lock`:\n"
    assert marker in project.read_text()
    project.write_text(project.read_text().replace(marker, f'{marker}    "stamina",\n'))
    commit(service, "Depend on stamina")

    update(service, grpc=True)

    assert git(service, "ls-files", "--unmerged") == ""
    assert '"stamina",' in project.read_text()
    assert '"grpcio",' in project.read_text()
