"""Our nodes are called, wired and bounded as existing workflows expect."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import safelight.library
from safelight.graph.catalog import Catalog
from safelight.graph.folders import Folders
from safelight.graph.schema import describe

CATALOG = Catalog.of(safelight.library)
# What the reference bounds or offers differently, and why we do not follow.
DEVIATIONS = {
    **{
        (name, "filename_prefix", "default"): "our files carry our own name"
        for name in (
            *("SaveImage", "SaveAnimatedWEBP", "SaveAnimatedPNG", "SaveLatent"),
            *("CheckpointSave", "ModelSave", "CLIPSave", "VAESave"),
        )
    },
    ("ImageScaleToMaxDimension", "upscale_method", "options"): "bilinear is there twice",
    ("CLIPLoader", "type", "options"): "only the families that are known here",
    ("DualCLIPLoader", "type", "options"): "only the families that are known here",
    ("ModelSamplingContinuousEDM", "sampling", "options"): "only the families that are known here",
    ("OptimalStepsScheduler", "model_type", "options"): "only the families that are known here",
    ("SaveLoRANode", "prefix", "default"): "our files carry our own name",
    ("LossGraphNode", "loss", "default"): "a wire has no default",
    ("TrainLoraNode", "algorithm", "options"): "only plain LoRA is trained",
    ("TrainLoraNode", "existing_lora", "options"): "more steps go on where fewer ended",
    ("VAELoader", "vae_name", "options"): "no pixel_space: no model here works on pixels",
}
# Nodes that the reference has not, and what for.
OWN = {
    **{
        name: "hints for control networks, which other programs leave to extensions"
        for name in ("SoftEdges", "Scribble", "LineArt", "TileHint", "BlurHint", "ColourHint")
    },
    "PoseHint": "a skeleton drawn from its joints",
    "XYGrid": "a table of the same picture with other values",
    "LoraSchedule": "a LoRA along the walk, which others attach to prompts as hooks",
    "LoraBlockWeights": "a LoRA by parts of the network, which others have as custom nodes",
    "ReferenceOnly": "a look without training, which other programs leave to an extension",
    "IPAdapterLoader": "a picture as a prompt, which other programs leave to an extension",
    "IPAdapterApply": "a picture as a prompt, which other programs leave to an extension",
    **{
        name: "training with samples to watch and a file at the end"
        for name in ("LoadPictureSet", "CaptionPictures", "TrainingOptions")
    },
    "TrainLora": "a LoRA from pictures with captions, text encoders too",
    "TrainWord": "a textual inversion, which other programs leave to scripts",
    "TrainControlNet": "a ControlNet, which other programs leave to scripts",
    "PromptChoices": "prompts with wildcards, resolved by a seed",
    "DynamicThresholding": "guidance that does not burn out",
    "GuidanceInterval": "guidance for a part of the walk",
    "DeepCache": "deep features used again, which others leave to an extension",
    "AttentionNegative": "negatives for models that are walked without guidance",
}
COMPARED = ("default", "min", "max", "step", "round", "multiline", "control_after_generate")


@pytest.fixture(scope="module")
def theirs(reference: Path) -> Mapping[str, Any]:
    """The reference's nodes by name."""
    return json.loads((reference / "object_info_core.json").read_text())["nodes"]


@pytest.fixture
def ours(tmp_path: Path) -> Mapping[str, Any]:
    """Our nodes as clients see them."""
    return json.loads(json.dumps(describe(CATALOG).object_info(Folders(tmp_path))))


@pytest.mark.parametrize("name", sorted(set(CATALOG) - set(OWN)))
def test_a_node_has_the_inputs_and_outputs_of_its_namesake(
    name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> None:
    """Same names in the same order, same types, same bounds."""
    wanted, got = theirs[name], ours[name]
    inputs = wanted["inputs"]["required"]
    assert got["input_order"]["required"] == [entry["name"] for entry in inputs]
    assert got["output"] == [output["type"] for output in wanted["outputs"]]
    assert got["output_name"] == [output["name"] for output in wanted["outputs"]]
    assert got["output_node"] == wanted["output_node"]
    for entry in inputs:
        kind, options = got["input"]["required"][entry["name"]]
        assert (entry["type"] == "COMBO") == isinstance(kind, list)
        if entry["type"] != "COMBO":
            assert kind == entry["type"]
        offered = isinstance(entry.get("options"), list) and isinstance(kind, list)
        if offered and (name, entry["name"], "options") not in DEVIATIONS:
            assert kind == entry["options"], entry["name"]
        for option in COMPARED:
            if (name, entry["name"], option) not in DEVIATIONS and option in entry:
                assert options.get(option, False) == entry[option], (entry["name"], option)
