import fuseline
from fuseline.data.modalities.extraction import surroundings as module
from fuseline.data.modalities.extraction.fitting import fitting_rows
from fuseline.data.modalities.extraction.surroundings import code_hash, surroundings


def test_threads_processor_and_libraries_count(monkeypatch):
    first = surroundings(2)
    assert first == surroundings(2) != surroundings(1)
    assert first["library torch"]
    assert len(first["processor"]) == 64
    monkeypatch.setattr(module, "version", lambda name: f"{name} 99")
    assert surroundings(2) != first


def test_the_code_is_hashed_as_it_is_now_imports_within_functions_too(tmp_path, monkeypatch):
    package = tmp_path / "fuseline"
    (package / "part").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "part" / "__init__.py").write_text("")
    (package / "part" / "above.py").write_text(
        "def work():\n    from fuseline.part.below import value\n    return value\n"
    )
    below, beside = package / "part" / "below.py", package / "part" / "beside.py"
    below.write_text("value = 1\n")
    beside.write_text("value = 1\n")
    monkeypatch.setattr(fuseline, "__file__", str(package / "__init__.py"))
    first = code_hash("fuseline.part.above")
    below.write_text("# a remark\nvalue = 1\n")
    beside.write_text("value = 2\n")
    assert code_hash("fuseline.part.above") == first
    below.write_text("value = 2\n")
    assert code_hash("fuseline.part.above") != first


def test_fitting_rows_change_when_the_table_doubles():
    assert [fitting_rows(total) for total in (0, 1, 2, 3, 4, 7, 8, 1000, 20_000, 20_200)] == [
        *(0, 1, 2, 2, 4, 4, 8, 512, 16_384, 16_384)
    ]
