import pytest

from tests.prompting import material


@pytest.fixture
def tiny(tmp_path):
    return material(tmp_path)
