#!/usr/bin/env python
"""Draw what MLflow's own page shows of a store: an experiment's runs with those in them, and its registered model with its aliases.

    .venv/bin/python scripts/draw_tracking.py STORE FOLDER [--experiment NAME]

STORE: MLflow's address of a store, such as sqlite:////home/me/exported_models/mlflow.db. Starts `mlflow ui` on this machine, opens it in
Chromium (`apt install chromium nodejs npm`), and leaves runs.png and model.png in FOLDER. Exits 1 when the page does not show the names
of the runs, or the versions and aliases.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from parity_runtimes import NotToBeHad, run_node  # noqa: E402
from trackings import mlflow_server  # noqa: E402

from gesture_maker.tracking.registry import list_versions, registry_name  # noqa: E402
from gesture_maker.tracking.store import opened  # noqa: E402

WINDOW = (1500, 860)
COLUMNS = (
    *("cv_accuracy", "cv_spread", "test_accuracy", "test_f1", "train_seconds", "model_bytes"),
    *("best_loss", "best_accuracy", "estimated_accuracy"),
)
SHOWN = (
    20  # runs of the newest comparison or search whose names are waited for: the table shows no more without scrolling
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--experiment", help="by default the one with the newest run")
    asked = parser.parse_args()
    try:
        seen = draw(asked.store, asked.folder, asked.experiment)
    except NotToBeHad as missing:
        sys.exit(f"draw_tracking: {missing}")
    if any(seen["missing"].values()):
        sys.exit(f"draw_tracking: the page does not show {seen['missing']}")
    print(*(asked.folder / f"{name}.png" for name in seen["texts"]))


def draw(store: str, folder: Path, experiment: str | None = None, server: str | None = None) -> dict[str, Any]:
    """Leave runs.png and model.png in a folder, and return what the pages showed; see tests/web/mlflow_ui.mjs.

    `server`: the address of a server of that store, if there is one already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number, name, runs, outer = runs_of(store, experiment)
    columns = [column for column in COLUMNS if column in outer[0].data.metrics] or list(COLUMNS)
    model = registry_name(name)
    versions = list_versions(model, store)
    model_texts = [text for one in versions for text in (f"Version {one.number}", *(f"@ {a}" for a in one.aliases))]
    pages = [
        {"name": "runs", "route": f"/experiments/{number}/runs?workflowType=machine_learning", "texts": [name, *runs]},
        {"name": "model", "route": f"/models/{quote(model)}?workflowType=machine_learning", "texts": model_texts},
    ]
    storage = {
        # The page's own names: neither its offer to chat nor a hint in the way, and the columns that say how well each did.
        "mlflow.assistant.panelOpen_v1": "false",
        "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
        f'MLflowLocalStorage-1.1-ExperimentPage-["{number}"]-ReactComponentState': json.dumps(
            {
                "orderByKey": "attributes.start_time",
                "orderByAsc": False,
                "selectedColumns": [f"metrics.`{column}`" for column in columns],
                "runsExpanded": {run.info.run_id: True for run in outer},
            }
        ),
    }
    with contextlib.ExitStack() as opened_things:
        temporary = opened_things.enter_context(tempfile.TemporaryDirectory())
        address = server or opened_things.enter_context(mlflow_server(store, Path(temporary)))
        plan = {"address": address, "width": WINDOW[0], "height": WINDOW[1], "folder": str(folder.resolve())}
        file = Path(temporary) / "plan.json"
        file.write_text(json.dumps({**plan, "storage": storage, "pages": pages}))
        done = run_node("mlflow_ui.mjs", file)
    if done.returncode:
        raise RuntimeError(f"Chromium could not be used:\n{done.stderr}")
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def runs_of(store: str, experiment: str | None) -> tuple[str, str, list[str], list[Any]]:
    """Return the number and name of an experiment, names of runs to be seen, and the runs that others may lie in, newest first."""
    with opened(store, make=False) as found:
        client = found.client
        experiments = [one for one in client.search_experiments() if experiment in (None, one.name)]
        runs = client.search_runs([one.experiment_id for one in experiments], order_by=["attributes.start_time DESC"])
        if not runs:
            sys.exit(f"draw_tracking: {store} has no run of {experiment or 'anything'}")
        number = runs[0].info.experiment_id
        name = next(one.name for one in experiments if one.experiment_id == number)
        ours = [run for run in runs if run.info.experiment_id == number]
        outer = [run for run in ours if "mlflow.parentRunId" not in run.data.tags]
        inner = [run for run in ours if run.data.tags.get("mlflow.parentRunId") == outer[0].info.run_id]
    names = [run.info.run_name for run in (outer[0], *inner)]
    return number, name, names[:SHOWN], outer


if __name__ == "__main__":
    main()
