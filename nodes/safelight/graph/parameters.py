"""The text in which many programs write how a picture was made, beside it or inside it.

    a cat in a hat
    Negative prompt: blurry
    Steps: 20, Sampler: Euler, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Model: m

It tells less than a workflow: what it does not say is guessed, and told.  Reading gives an API
prompt of the usual eight nodes; writing follows the first sampler of one back to its sources.
"""

import re
from collections.abc import Mapping
from typing import Any

_SAMPLERS: Mapping[str, str] = {
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "dpm_2": "DPM2",
    "dpm_2_ancestral": "DPM2 a",
    "lms": "LMS",
    "dpm_fast": "DPM fast",
    "dpm_adaptive": "DPM adaptive",
    "dpmpp_2s_ancestral": "DPM++ 2S a",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "ddim": "DDIM",
    "uni_pc": "UniPC",
    "lcm": "LCM",
}
_SCHEDULES: Mapping[str, str] = {
    "normal": "Automatic",
    "karras": "Karras",
    "exponential": "Exponential",
    "sgm_uniform": "SGM Uniform",
    "simple": "Simple",
    "ddim_uniform": "DDIM",
    "beta": "Beta",
}
_NEGATIVE = "Negative prompt:"
_SETTING = re.compile(r'\s*(\w[\w \-/]*):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
_WIRED = ("model", "positive", "negative", "latent_image")
_DEFAULTS = {"Steps": "20", "CFG scale": "7", "Seed": "0", "Size": "512x512", "Model": ""}


def looks_like_parameters(text: str) -> bool:
    """Whether a text is of this kind: its last line starts with the number of steps."""
    lines = text.strip().splitlines()
    return bool(lines) and re.match(r"Steps: \d+,", lines[-1]) is not None


def read_parameters(text: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return an API prompt for a text, and a sentence for all that was guessed."""
    *said, last = text.strip().splitlines()
    positive, _, negative = "\n".join(said).partition(_NEGATIVE)
    settings = {name: value.strip('"') for name, value in _SETTING.findall(last)}
    guesses = [
        f"{name} is not told; it is now {value or 'the first checkpoint'}"
        for name, value in _DEFAULTS.items()
        if name not in settings
    ]
    settings = {**_DEFAULTS, **settings}
    sampler, scheduler = _sampler(settings, guesses)
    size = _SIZE.fullmatch(settings["Size"])
    width, height = size.groups() if size else ("512", "512")
    inputs: dict[str, Any] = {
        "seed": settings["Seed"],
        "steps": settings["Steps"],
        "cfg": settings["CFG scale"],
        "sampler_name": sampler,
        "scheduler": scheduler,
        "denoise": settings.get("Denoising strength", "1"),
        "model": ["1", 0],
        "positive": ["2", 0],
        "negative": ["3", 0],
        "latent_image": ["4", 0],
    }
    model = {"ckpt_name": f"{settings['Model']}.safetensors"} if settings["Model"] else {}
    if settings["Model"]:
        guesses.append(f"the checkpoint is taken to be the file {settings['Model']}.safetensors")
    texts = {"2": positive.strip(), "3": negative.strip()}
    prompt = {
        "1": _node("CheckpointLoaderSimple", model),
        **{k: _node("CLIPTextEncode", {"text": v, "clip": ["1", 1]}) for k, v in texts.items()},
        "4": _node("EmptyLatentImage", {"width": width, "height": height, "batch_size": 1}),
        "5": _node("KSampler", inputs),
        "6": _node("VAEDecode", {"samples": ["5", 0], "vae": ["1", 2]}),
        "7": _node("SaveImage", {"images": ["6", 0], "filename_prefix": "safelight"}),
    }
    return prompt, tuple(guesses)


def write_parameters(prompt: Mapping[str, Any]) -> str | None:
    """Return the text for an API prompt, or None when no KSampler makes its picture.

    What only a run can tell, since a wire brings it, is left out; without steps there is no text.
    """
    nodes = (node for node in prompt.values() if isinstance(node, Mapping))
    sampler = next((node for node in nodes if node.get("class_type") == "KSampler"), None)
    inputs = {} if sampler is None else _settled(prompt, sampler["inputs"])
    if "steps" not in inputs:
        return None
    positive = _found(prompt, inputs.get("positive"), "text")
    negative = _found(prompt, inputs.get("negative"), "text")
    width = _found(prompt, inputs.get("latent_image"), "width")
    height = _found(prompt, inputs.get("latent_image"), "height")
    model = str(_found(prompt, inputs.get("model"), "ckpt_name") or "").removesuffix(".safetensors")
    name, schedule = inputs.get("sampler_name"), inputs.get("scheduler")
    strength = inputs.get("denoise", 1)
    settings = {
        "Steps": inputs["steps"],
        "Sampler": _SAMPLERS.get(str(name), name),
        "Schedule type": _SCHEDULES.get(str(schedule), schedule),
        "CFG scale": inputs.get("cfg"),
        "Seed": inputs.get("seed"),
        "Size": f"{width}x{height}" if width and height else None,
        "Model": model or None,
        "Denoising strength": None if float(strength) == 1 else strength,
    }
    lines = [str(positive or "")]
    if negative:
        lines.append(f"{_NEGATIVE} {negative}")
    told = (f"{name}: {value}" for name, value in settings.items() if value is not None)
    return "\n".join([*lines, ", ".join(told)])


def _sampler(settings: Mapping[str, str], guesses: list[str]) -> tuple[str, str]:
    """Return the names of sampler and schedule; older texts tell both in one."""
    told = settings.get("Sampler", "Euler")
    schedule = settings.get("Schedule type", "Automatic")
    for known in ("Karras", "Exponential"):
        if told.endswith(f" {known}"):
            told, schedule = told.removesuffix(f" {known}"), known
    samplers = {title.lower(): name for name, title in _SAMPLERS.items()}
    schedules = {title.lower(): name for name, title in _SCHEDULES.items()}
    for title, names in ((told, samplers), (schedule, schedules)):
        if title.lower() not in names and title.lower() not in names.values():
            guesses.append(f"{title} is not known here; the usual one is taken")
    sampler = told if told in _SAMPLERS else samplers.get(told.lower(), "euler")
    scheduler = schedule if schedule in _SCHEDULES else schedules.get(schedule.lower(), "normal")
    return sampler, scheduler


def _settled(prompt: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs with what primitives send along wires in its place; other wires stay."""
    settled: dict[str, Any] = {}
    for name, value in inputs.items():
        if name not in _WIRED and isinstance(value, list):
            source = prompt.get(value[0], {}) if value else {}
            plain = str(source.get("class_type", "")).startswith("Primitive")
            settled[name] = source.get("inputs", {}).get("value") if plain else None
        else:
            settled[name] = value
    return {name: value for name, value in settled.items() if value is not None}


def _found(prompt: Mapping[str, Any], link: object, name: str) -> object:
    """Return the nearest value of that name, going up along the wires."""
    waiting, seen = [link], set[str]()
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, list) or current[0] in seen or current[0] not in prompt:
            continue
        seen.add(current[0])
        inputs = prompt[current[0]]["inputs"]
        value = inputs.get(name)
        if value is not None and not isinstance(value, list):
            return value
        waiting.extend(inputs.values())
    return None


def _node(class_type: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": dict(inputs)}
