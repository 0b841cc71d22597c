"""`byreturn preview-report`: every report in a folder, before a sender sees one."""

from pathlib import Path


def test_all_reports_are_there_in_all_languages_and_for_all_readers(byreturn, tmp_path):
    out = tmp_path / "gallery"
    result = byreturn("preview-report", "--out", str(out))
    assert (result.status, result.err) == (0, "")
    index = (out / "index.html").read_text("utf-8")
    written = sorted(path.relative_to(out) for path in out.rglob("*.eml"))
    assert result.out == f"{len(written)} reports in 2 languages: {out / 'index.html'}\n"
    assert {path.parts[:2] for path in written} == {
        (tag, reader) for tag in ("de", "en") for reader in ("internal", "external", "postmaster")
    }
    for path in written:
        for ending in (".html", ".txt", ".eml"):
            assert out.joinpath(path).with_suffix(ending).stat().st_size > 100
            assert f'href="{path.with_suffix(ending)}"' in index


def test_one_language_alone(byreturn, tmp_path):
    out = tmp_path / "gallery"
    result = byreturn("preview-report", "--out", str(out), "--language", "de")
    assert result.status == 0
    assert " reports in 1 language: " in result.out
    assert [path.name for path in out.iterdir() if path.is_dir()] == ["de"]


def test_a_language_as_people_write_its_tag(byreturn, tmp_path):
    out = tmp_path / "gallery"
    assert byreturn("preview-report", "--out", str(out), "--language", "DE").status == 0
    assert [path.name for path in out.iterdir() if path.is_dir()] == ["de"]


def test_a_language_that_is_not_there(byreturn, tmp_path):
    out = tmp_path / "gallery"
    result = byreturn("preview-report", "--out", str(out), "--language", "tlh")
    assert (result.status, result.out) == (78, "")
    assert 'no language "tlh" is known. Nothing was written. There are: de, en.' in result.err
    assert not out.exists()


def test_a_folder_that_cannot_be(byreturn, tmp_path):
    blocked: Path = tmp_path / "gallery"
    blocked.mkdir()
    (blocked / "en").write_text("a file")
    result = byreturn("preview-report", "--out", str(blocked), "--language", "en")
    assert (result.status, result.out) == (78, "")
    assert "Name another folder with --out." in result.err


def test_a_file_that_cannot_be_written(byreturn, tmp_path):
    out = tmp_path / "gallery"
    in_the_way = out / "en" / "internal" / "mixture.eml"
    in_the_way.mkdir(parents=True)
    result = byreturn("preview-report", "--out", str(out), "--language", "en")
    assert (result.status, result.out) == (78, "")
    assert f"{in_the_way}: Is a directory. Nothing more was written." in result.err


def test_the_index_cannot_be_written(byreturn, tmp_path):
    out = tmp_path / "gallery"
    (out / "index.html").mkdir(parents=True)
    result = byreturn("preview-report", "--out", str(out), "--language", "en")
    assert (result.status, result.out) == (78, "")
    assert "index.html: Is a directory." in result.err
