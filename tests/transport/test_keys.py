"""Where keys are found, and that they do not show."""

from __future__ import annotations

import copy
import json
import pickle
import stat
import sys
import types
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest

from deepseek_jupyter.errors import ConfigurationError, MissingKeyError
from deepseek_jupyter.home import private_directory
from deepseek_jupyter.transport.keys import Secret, find_key, forget_key, scrub, store_key
from deepseek_jupyter.transport.providers import PROVIDERS
from tests.support.asking import KEY

DEEPSEEK = PROVIDERS["deepseek"]


class FakeRing(types.ModuleType):
    """The three functions of the keyring package, in memory."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, name: str) -> str | None:
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, key: str) -> None:
        self.kept[service, name] = key

    def delete_password(self, service: str, name: str) -> None:
        del self.kept[service, name]


@pytest.fixture
def keyring(monkeypatch) -> FakeRing:
    ring = FakeRing()
    monkeypatch.setitem(sys.modules, "keyring", ring)
    return ring


@pytest.fixture
def no_keyring(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)


class TestOrder:
    def test_environment_then_keyring_then_file(self, keyring, environment, monkeypatch):
        environment.mkdir()
        (environment / "keys.json").write_text(json.dumps({"deepseek": "from-file"}))
        assert find_key(DEEPSEEK).reveal() == "from-file"
        store_key(DEEPSEEK, "from-ring")
        assert find_key(DEEPSEEK).reveal() == "from-ring"
        monkeypatch.setenv("DEEPSEEK_API_KEY", " from-environment\n")
        assert find_key(DEEPSEEK).reveal() == "from-environment"
        assert "DEEPSEEK_API_KEY" in find_key(DEEPSEEK).source

    def test_a_provider_may_have_several_variables(self, monkeypatch):
        monkeypatch.setenv("COMETAPI_KEY", "second")
        assert find_key(PROVIDERS["cometapi"]).reveal() == "second"
        monkeypatch.setenv("COMETAPI_API_KEY", "first")
        assert find_key(PROVIDERS["cometapi"]).reveal() == "first"

    def test_one_provider_s_key_is_not_given_to_another(self, monkeypatch):
        monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
        with pytest.raises(MissingKeyError):
            find_key(PROVIDERS["openrouter"])

    def test_a_missing_key_says_what_to_do(self):
        with pytest.raises(MissingKeyError) as missing:
            find_key(DEEPSEEK)
        assert "%deepseek login" in missing.value.hint
        assert "DEEPSEEK_API_KEY" in missing.value.hint
        assert "-p local" in missing.value.hint

    @pytest.mark.parametrize("name", ["vllm", "sglang", "ollama", "llamacpp", "local"])
    def test_self_hosted_servers_need_none(self, name):
        assert not find_key(PROVIDERS[name])

    def test_a_broken_keyring_is_passed_over(self, keyring, monkeypatch):
        def locked(*_: str) -> None:
            raise RuntimeError("locked")

        monkeypatch.setattr(keyring, "get_password", locked)
        monkeypatch.setattr(keyring, "set_password", locked)
        store_key(DEEPSEEK, KEY)
        assert find_key(DEEPSEEK).reveal() == KEY


class TestFile:
    pytestmark = pytest.mark.usefixtures("no_keyring")

    def test_it_is_its_owner_s_alone(self, environment):
        where = store_key(DEEPSEEK, KEY)
        assert where == str(environment / "keys.json")
        assert stat.S_IMODE((environment / "keys.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(environment.stat().st_mode) == 0o700

    def test_keys_of_several_providers_lie_beside_each_other(self):
        store_key(DEEPSEEK, "one-key")
        store_key(PROVIDERS["openrouter"], "other-key")
        assert find_key(DEEPSEEK).reveal() == "one-key"
        assert forget_key(DEEPSEEK)
        assert find_key(PROVIDERS["openrouter"]).reveal() == "other-key"
        assert not forget_key(DEEPSEEK)

    @pytest.mark.parametrize("content", ["", "not json", "[]", '"x"'])
    def test_a_damaged_file_is_no_key(self, environment, content):
        environment.mkdir()
        (environment / "keys.json").write_text(content)
        with pytest.raises(MissingKeyError):
            find_key(DEEPSEEK)


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")
@pytest.mark.usefixtures("no_keyring")
class TestState:
    """The directory and the file, where others may write or have been before."""

    @pytest.mark.parametrize("mode", [0o755, 0o777, 0o770, 0o702])
    def test_a_directory_open_to_others_is_closed(self, environment, mode):
        environment.mkdir()
        environment.chmod(mode)
        store_key(DEEPSEEK, KEY)
        assert stat.S_IMODE(environment.stat().st_mode) == 0o700
        assert find_key(DEEPSEEK).reveal() == KEY

    def test_so_is_each_level_below_it(self, environment):
        (environment / "local" / "run").mkdir(parents=True)
        for path in (environment / "local" / "run", environment / "local", environment):
            path.chmod(0o777)
        below = private_directory("local", "run")
        for path in (below, below.parent, environment):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700

    def test_one_that_is_shared_on_purpose_is_refused_and_left_alone(self, environment):
        environment.mkdir()
        environment.chmod(0o1777)
        with pytest.raises(ConfigurationError, match="Others can write") as refused:
            store_key(DEEPSEEK, KEY)
        assert len(str(refused.value).splitlines()) == 2
        assert stat.S_IMODE(environment.stat().st_mode) == 0o1777
        assert list(environment.iterdir()) == []

    @pytest.mark.parametrize("mode", [0o755, 0o775])
    def test_the_user_s_own_home_is_left_alone(self, environment, monkeypatch, mode):
        (environment / "me").mkdir(parents=True)
        environment.chmod(mode)
        monkeypatch.setenv("HOME", str(environment / "me"))
        if mode == 0o755:
            store_key(DEEPSEEK, KEY)
        else:
            with pytest.raises(ConfigurationError):
                store_key(DEEPSEEK, KEY)
        assert stat.S_IMODE(environment.stat().st_mode) == mode

    @pytest.mark.parametrize("name", ["keys.partial", "keys.json"])
    def test_a_key_is_written_through_no_link(self, environment, tmp_path, name):
        environment.mkdir(mode=0o700)
        victim = tmp_path / "victim.txt"
        victim.write_text("{}")
        (environment / name).symlink_to(victim)
        store_key(DEEPSEEK, KEY)
        assert victim.read_text() == "{}"
        assert stat.S_IMODE((environment / "keys.json").lstat().st_mode) == 0o600

    def test_nor_into_a_file_that_is_open_elsewhere(self, environment):
        environment.mkdir(mode=0o700)
        with open(environment / "keys.json", "w+") as held:
            held.write("{}")
            held.flush()
            store_key(DEEPSEEK, KEY)
            held.seek(0)
            assert held.read() == "{}"
        assert {path.name for path in environment.iterdir()} == {"keys.json"}


def test_forgetting_reaches_the_keyring_too(keyring):
    store_key(DEEPSEEK, KEY)
    assert forget_key(DEEPSEEK)
    assert keyring.kept == {}


class TestSecret:
    def test_it_shows_nowhere(self):
        secret = Secret(KEY, "a test")
        shown = f"{secret} {secret!r} {secret!s} {[secret]} {vars(type(secret))}"
        assert KEY not in shown
        assert "a test" in repr(secret)

    def test_it_is_never_pickled_or_copied(self):
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                attempt(Secret(KEY))

    def test_an_empty_one_is_false(self):
        assert not Secret("  ")
        assert repr(Secret("")) == "Secret(none)"


class TestScrub:
    def test_the_key_goes(self):
        assert KEY not in scrub(f"key {KEY} here", Secret(KEY))

    def test_any_shape_of_key_goes(self):
        for other in ("sk-abcdefghijklmnop", "sk-or-v1-0123456789ab", "hf_abcdefghijklmnop"):
            assert other not in scrub(f"key '{other}'.")

    def test_a_key_of_no_known_shape_goes_when_it_is_ours(self):
        assert "plainword99" not in scrub("key plainword99", Secret("plainword99"))

    @pytest.mark.parametrize("key", [KEY, "my/odd+key=&<1>MARKMARK", "plain~~~???>>>word99"])
    def test_encoded_keys_go(self, key):
        for form in (
            b64encode(key.encode()).decode(), b64encode(f"user:{key}".encode()).decode(),
            urlsafe_b64encode(f"a:{key}:b".encode()).decode(), key.encode().hex().upper(),
            quote(quote(key, safe=""), safe=""), "\U000e0041".join(key),
        ):  # fmt: skip
            assert scrub(f"Basic {form}, is wrong", Secret(key)) == "Basic ••••, is wrong"

    def test_ordinary_words_stay(self):
        text = "Ask for the task: risk-free sk-ip of hf."
        assert scrub(text, Secret("x"), Secret("")) == text
