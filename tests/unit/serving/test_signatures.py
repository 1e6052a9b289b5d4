import pytest

from fuseline.serving.signatures import files_of, signature


def test_files_that_change_have_another_signature(tmp_path):
    file = tmp_path / "a"
    before = signature([])
    file.write_text("a")
    after = signature([file])
    assert before != after == signature([file])
    file.write_text("ab")
    assert signature([file]) != after
    assert signature([tmp_path / "none"]) == ()


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("a.csv", ["a.csv"]),
        (".", ["a.csv", "b.csv", "deep/c.csv"]),
        ("*.csv", ["a.csv", "b.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "deep/c.csv"]),
        ("no such", []),
        ("user/set@revision", []),
    ],
)
def test_files_that_a_path_means(tmp_path, monkeypatch, path, names):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    for name in ("a.csv", "b.csv", "deep/c.csv"):
        (tmp_path / name).touch()
    assert sorted(one.as_posix() for one in files_of(path)) == names
