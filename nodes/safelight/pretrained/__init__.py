"""What Safelight ships besides code: its models and a picture; README.md here is the model card."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_HERE = Path(__file__).parent

# By kind of folder, then by the name under which it appears among a user's own files.
BUILTIN: Mapping[str, Mapping[str, Path]] = MappingProxyType(
    {
        "checkpoints": {file.name: file for file in sorted(_HERE.glob("*.safetensors"))},
        "loras": {file.name: file for file in sorted(_HERE.glob("loras/*.safetensors"))},
        "embeddings": {file.name: file for file in sorted(_HERE.glob("embeddings/*.safetensors"))},
        "vae_approx": {file.name: file for file in sorted(_HERE.glob("vae_approx/*.safetensors"))},
        "controlnet": {file.name: file for file in sorted(_HERE.glob("controlnet/*.safetensors"))},
        "diffusion_models": {
            file.name: file for file in sorted(_HERE.glob("diffusion_models/*.safetensors"))
        },
        "input": {"safelight-example.png": _HERE / "safelight-example.png"},
    }
)
