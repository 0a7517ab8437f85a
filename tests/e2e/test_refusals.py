"""Everything that can be wrong with a workflow is told with node and input, and nothing breaks."""

import copy
import json
import pickle
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tests.e2e.serving import Running

from safelight.pretrained import BUILTIN

pytestmark = pytest.mark.slow

SOUND: Mapping[str, Any] = {
    "1": {
        "class_type": "CheckpointLoaderSimple",
        "inputs": {"ckpt_name": "safelight-first-light.safetensors"},
    },
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["1", 1]}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0],
            "positive": ["2", 0],
            "negative": ["2", 0],
            "latent_image": ["4", 0],
            "seed": 1,
            "steps": 2,
            "cfg": 1.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
        },
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "sound"}},
}
END_LIMIT_S = 120


def post(server: Running, body: bytes) -> tuple[int, dict[str, Any]]:
    """POST a body to /prompt; return status and JSON answer."""
    request = Request(f"{server.url}/prompt", body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def submit(server: Running, prompt: object) -> tuple[int, dict[str, Any]]:
    """POST a prompt."""
    return post(server, json.dumps({"prompt": prompt}).encode())


def ended(server: Running, job: str) -> dict[str, Any]:
    """Wait for a job to end and return its entry in the history."""
    limit = time.monotonic() + END_LIMIT_S
    while time.monotonic() < limit:
        with urlopen(f"{server.url}/history/{job}", timeout=30) as answer:
            entry = json.load(answer).get(job)
        if entry:
            return entry
        time.sleep(0.05)
    raise AssertionError(f"job {job} did not end in {END_LIMIT_S} s")


def assert_sound_still_runs(server: Running) -> None:
    """The server goes on as if nothing had happened, and no draft of a file is left."""
    status, answer = submit(server, SOUND)
    assert status == 200
    assert ended(server, answer["prompt_id"])["status"]["status_str"] == "success"
    assert not list(server.home.rglob("*.part"))


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The sound prompt with something wrong in it."""
    prompt = copy.deepcopy(dict(SOUND))
    change(prompt)
    return prompt


def setting(node: str, name: str, value: object) -> Callable[[dict[str, Any]], object]:
    """A change of one input."""
    return lambda prompt: prompt[node]["inputs"].update({name: value})


@pytest.mark.parametrize(
    ("change", "node", "kind", "message"),
    [
        (setting("5", "steps", 0), "5", "value_smaller_than_min", "steps: 0 is below 1"),
        (setting("5", "steps", "many"), "5", "invalid_input_type", "steps: want a whole number"),
        (setting("5", "cfg", True), "5", "invalid_input_type", "cfg: want a number, got true"),
        (setting("5", "sampler_name", "eular"), "5", "value_not_in_list", "nearest: 'euler'"),
        (
            setting("5", "model", ["2", 0]),
            "5",
            "return_type_mismatch",
            "model: want a wire of MODEL",
        ),
        (
            setting("5", "model", ["99", 0]),
            "5",
            "bad_linked_input",
            "model: links to node '99', which",
        ),
        (setting("5", "model", ["1", 9]), "5", "bad_linked_input", "has no output 9"),
        (setting("5", "latent_image", ["5", 0]), "5", "dependency_cycle", "5 -> 5"),
        (lambda prompt: prompt["5"]["inputs"].pop("model"), "5", "required_input_missing", "model"),
        (setting("1", "ckpt_name", "folder.safetensors"), "1", "value_not_in_list", "is a folder"),
    ],
)
def test_a_mistake_is_told_with_its_node_and_input(
    server: Running,
    change: Callable[[dict[str, Any]], object],
    node: str,
    kind: str,
    message: str,
) -> None:
    """One mistake, one error at that node, in words."""
    (server.home / "models/checkpoints/folder.safetensors").mkdir(parents=True, exist_ok=True)
    status, answer = submit(server, changed(change))
    assert status == 400
    (error,) = answer["node_errors"][node]["errors"]
    assert error["type"] == kind
    assert message in error["message"]


def test_an_unknown_class_is_told_with_what_is_near(server: Running) -> None:
    """A misspelt class names the one that was meant."""
    status, answer = submit(server, changed(lambda p: p["5"].update(class_type="KSampla")))
    assert status == 400
    assert answer["error"]["type"] == "invalid_prompt"
    assert "KSampla" in answer["error"]["message"]
    assert "KSampler" in answer["error"]["message"]


def test_all_mistakes_are_told_at_once(server: Running) -> None:
    """Two nodes, three mistakes."""
    prompt = changed(setting("5", "steps", 0))
    setting("5", "cfg", 1000)(prompt)
    setting("4", "width", 1)(prompt)
    _, answer = submit(server, prompt)
    count = {node: len(entry["errors"]) for node, entry in answer["node_errors"].items()}
    assert count == {"4": 1, "5": 2}


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b'"x"', 400), (b'{"prompt": NaN}', 400), (b"{}", 400)],
)
def test_a_body_that_is_no_prompt_is_refused(server: Running, body: bytes, status: int) -> None:
    """With JSON that says so."""
    answered, answer = post(server, body)
    assert answered == status
    assert answer["error"]["message"]


def test_fifty_megabytes_of_json_are_refused(server: Running) -> None:
    """Before they are read as JSON; the message says how much is allowed."""
    answered, answer = post(server, b'{"prompt": {"1": "' + b"x" * 50_000_000 + b'"}}')
    assert answered == 413
    assert answer["error"]["message"] == (
        "The body is larger than 32 MiB, the most that is read here."
    )


def broken_files() -> Mapping[str, tuple[bytes, str]]:
    """Files called .safetensors that are none, each with what is said of it."""
    whole = BUILTIN["checkpoints"]["safelight-first-light.safetensors"].read_bytes()
    return {
        "torn": (whole[: len(whole) // 2], "torn.safetensors"),
        "pickle": (pickle.dumps({"weight": [1, 2, 3]}), "pickle.safetensors"),
        "empty": (b"", "empty.safetensors"),
    }


@pytest.mark.parametrize("name", ["torn", "pickle", "empty"])
def test_a_broken_checkpoint_fails_its_node_and_nothing_else(server: Running, name: str) -> None:
    """The job fails with node, file and reason; the next one runs."""
    content, said = broken_files()[name]
    folder = server.home / "models" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.safetensors").write_bytes(content)
    status, answer = submit(server, changed(setting("1", "ckpt_name", f"{name}.safetensors")))
    assert status == 200
    entry = ended(server, answer["prompt_id"])
    assert entry["status"]["status_str"] == "error"
    kind, told = entry["status"]["messages"][-1]
    assert kind == "execution_error"
    assert (told["node_id"], told["node_type"]) == ("1", "CheckpointLoaderSimple")
    assert said in told["exception_message"]
    assert_sound_still_runs(server)
