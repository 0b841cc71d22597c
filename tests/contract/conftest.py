"""A spool of each kind for every test that asks for a box."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.spools import Box, BoxSettings, Maker, ModelBox, SqliteBox


@pytest.fixture(params=["model", "sqlite"])
def make_box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    boxes: list[Box] = []

    def make(settings: BoxSettings) -> Box:
        box = ModelBox(settings) if request.param == "model" else SqliteBox(tmp_path / "spool", settings)
        boxes.append(box)
        return box

    yield make
    for box in boxes:
        box.close()


@pytest.fixture
def box(make_box: Maker) -> Box:
    return make_box(BoxSettings())
