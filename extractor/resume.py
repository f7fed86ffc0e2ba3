"""The state of a training run on disk: written whole or not at all, without a pickle."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from extractor.errors import ModelError

Tensors = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One look at the validation examples."""

    step: int
    loss: float
    """Mean training loss a step since the evaluation before."""
    validation_loss: float | None
    """Mean loss a product; None without validation examples."""
    lr: float
    """Base learning rate at the step."""


@dataclass(kw_only=True)
class Position:
    """How far a run has come; all that it needs beside its tensors."""

    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    """Training losses since the last evaluation, added up."""
    loss_count: int = 0
    best_step: int = 0
    best_loss: float | None = None
    stale: int = 0
    """Evaluations since the best one."""
    history: list[Evaluation] = field(default_factory=list)
    stopped: str | None = None
    """Why the run is over: steps, patience or max_seconds; None while it is not."""


POSITION = "position.json"
POSITIONS = TypeAdapter(Position)


def write(folder: Path, position: Position, tensors: Mapping[str, Tensors], identity: str) -> None:
    """Add the state of this step and drop older ones; killed halfway, the older one stands."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"step-{position.step:09d}"
    if target.exists():
        return
    unfinished = folder / f"{target.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for name, named in tensors.items():
        save_file(
            {key: tensor.detach().cpu().clone() for key, tensor in named.items()}, unfinished / f"{name}.safetensors"
        )
    content = {"identity": identity, "position": asdict(position)}
    (unfinished / POSITION).write_text(json.dumps(content, indent=1), encoding="utf-8")
    older = _states(folder)
    unfinished.rename(target)
    for state in older:
        shutil.rmtree(state)


def read(folder: Path, identity: str) -> tuple[Position, dict[str, Tensors]] | None:
    """The newest whole state, None where there is none; that of another run is a ModelError."""
    states = _states(folder)
    if not states:
        return None
    file = states[-1] / POSITION
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        found, position = content["identity"], POSITIONS.validate_python(content["position"])
        tensors = {file.stem: load_file(file) for file in sorted(states[-1].glob("*.safetensors"))}
    except (OSError, ValueError, KeyError, SafetensorError, ValidationError) as error:
        raise ModelError(
            f"training state {states[-1]}", f"unreadable files ({error})", "whole ones; delete it"
        ) from error
    if found != identity:
        raise ModelError(f"training state {folder}", f"run {found}", f"run {identity}; use a folder of its own")
    return position, tensors


def _states(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if path.suffix != ".unfinished")


def learnt(module: torch.nn.Module) -> Tensors:
    """What training changes: trainable weights and buffers; frozen weights come with the model's creation."""
    frozen = {name for name, weight in module.named_parameters(remove_duplicate=False) if not weight.requires_grad}
    return {name: tensor for name, tensor in module.state_dict().items() if name not in frozen}


def put_back(module: torch.nn.Module, tensors: Tensors) -> None:
    """Load what `learnt` took; other names or shapes are a ModelError."""
    expected = {name: tuple(tensor.shape) for name, tensor in learnt(module).items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != expected:
        odd = sorted(dict(found.items() ^ expected.items()))
        raise ModelError(
            "training state", f"weights that differ in {', '.join(odd[:3])}", "this model's names and shapes"
        )
    module.load_state_dict(tensors, strict=False)  # frozen weights are rightly missing


def moments(optimiser: torch.optim.Optimizer) -> Tensors:
    """The optimiser's tensors under `parameter.name`, as safetensors wants them."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{name}": tensor for index, named in state.items() for name, tensor in named.items()}


def put_back_moments(optimiser: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Load what `moments` took."""
    state: dict[int, Tensors] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
