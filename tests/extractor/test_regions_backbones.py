"""Published networks: names, shapes and wiring are those that the published weights were trained with."""

import importlib.util
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from extractor.errors import ConfigError
from extractor.regions.backbones import weights
from extractor.regions.backbones.resnet import ResNet
from extractor.regions.backbones.xception import Xception

without_extra = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is an extra: pip install facetmill[regions]"
)
CLASSIFIER = 2048 * 1000 + 1000
NORM = ("running_mean", "running_var", "weight", "bias")


def stirred(network: nn.Module) -> nn.Module:
    """Norms as after some training: untouched ones would hide where they are missing."""
    torch.manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.2, 0.6)
            nn.init.normal_(part.bias)
            nn.init.normal_(part.running_mean)  # type: ignore[arg-type]  # our norms keep statistics
            nn.init.uniform_(part.running_var, 0.5, 2.0)  # type: ignore[arg-type]  # as above
    return network.eval()


@pytest.mark.parametrize(("network", "parameters"), [(ResNet, 60_192_808), (Xception, 22_855_952)])
def test_a_network_has_the_published_number_of_parameters(network, parameters):
    with torch.device("meta"):
        built = network()

    assert sum(part.numel() for part in built.parameters()) + CLASSIFIER == parameters


@pytest.mark.parametrize(
    ("network", "name", "shape"),
    [
        (ResNet, "layer1.0.downsample.0.weight", (256, 64, 1, 1)),
        (ResNet, "layer3.35.conv2.weight", (256, 256, 3, 3)),
        (ResNet, "layer4.2.bn3.running_var", (2048,)),
        (Xception, "block1.rep.0.conv1.weight", (64, 1, 3, 3)),  # no ReLU before it
        (Xception, "block2.rep.1.pointwise.weight", (256, 128, 1, 1)),
        (Xception, "block3.skipbn.bias", (728,)),
        (Xception, "block11.rep.8.running_mean", (728,)),
        (Xception, "block12.rep.1.pointwise.weight", (728, 728, 1, 1)),  # it widens at its end alone
        (Xception, "conv4.pointwise.weight", (2048, 1536, 1, 1)),
    ],
)
def test_a_tensor_bears_its_published_name(network, name, shape):
    with torch.device("meta"):
        state = network().state_dict()

    assert state[name].shape == shape


@torch.inference_mode()
def test_resnet_gives_one_vector_whatever_the_size_of_the_picture():
    network = ResNet((1, 1, 1, 1)).eval()

    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 2048)
    assert network(torch.zeros(1, 3, 96, 128)).shape == (1, 2048)


@torch.inference_mode()
def test_xception_gives_ten_by_ten_cells_of_299_pixels():
    assert Xception().eval()(torch.zeros(1, 3, 299, 299)).shape == (1, 2048, 10, 10)


def xception_map(state: dict[str, Tensor], at: Tensor) -> Tensor:
    """Figure 5 of the paper layer by layer, from tensors by timm's names."""

    def norm(name: str, at: Tensor) -> Tensor:
        mean, variance, weight, bias = (state[f"{name}.{part}"][:, None, None] for part in NORM)
        return (at - mean) / (variance + 1e-5).sqrt() * weight + bias

    def separable(name: str, at: Tensor) -> Tensor:
        deep = F.conv2d(at, state[f"{name}.conv1.weight"], padding=1, groups=at.shape[1])
        return F.conv2d(deep, state[f"{name}.pointwise.weight"])

    at = norm("bn1", F.conv2d(at, state["conv1.weight"], stride=2)).relu()
    at = norm("bn2", F.conv2d(at, state["conv2.weight"])).relu()
    places = {1: (0, 3), 2: (1, 4), 3: (1, 4), 12: (1, 4)}
    for block in range(1, 13):
        inside = at
        for place in places.get(block, (1, 4, 7)):
            inside = inside if place == 0 else inside.relu()
            inside = norm(f"block{block}.rep.{place + 1}", separable(f"block{block}.rep.{place}", inside))
        if block in places:
            inside = F.max_pool2d(inside, 3, stride=2, padding=1)
            at = norm(f"block{block}.skipbn", F.conv2d(at, state[f"block{block}.skip.weight"], stride=2))
        at = at + inside
    at = norm("bn3", separable("conv3", at)).relu()
    return norm("bn4", separable("conv4", at)).relu()


@torch.inference_mode()
def test_xception_is_figure_five_of_the_paper():
    network = stirred(Xception())
    pixels = torch.randn(1, 3, 75, 75)

    found = network(pixels)

    assert found.max() > 1
    assert torch.allclose(found, xception_map(network.state_dict(), pixels), atol=1e-4)


@pytest.mark.slow  # importing torchvision takes ten seconds
@without_extra
@torch.inference_mode()
def test_resnet_has_torchvisions_names_and_with_its_weights_its_vectors():
    from torchvision.models import resnet152  # noqa: PLC0415  # an extra

    theirs = stirred(resnet152(weights=None))
    theirs.fc = nn.Identity()
    ours, pixels = ResNet().eval(), torch.randn(1, 3, 96, 96)

    weights.load(ours, theirs.state_dict(), "theirs", key="key", expected="resnet152")

    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert torch.allclose(ours(pixels), theirs(pixels), atol=1e-5)


SMALL = nn.Linear(2, 3)
STATE = SMALL.state_dict()


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_a_state_dict_is_read_and_goes_in_by_name(tmp_path, name):
    path = str(tmp_path / name)
    (save_file if name.endswith("s") else torch.save)(STATE, path)
    network = nn.Linear(2, 3)

    weights.load(network, weights.read(path, key="key"), path, key="key", expected="a linear layer")

    assert torch.equal(network.weight, SMALL.weight)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"weight": STATE["weight"]}, "missing key: bias"),
        (STATE | {"scale": torch.zeros(1)}, "unexpected key: scale"),
        (STATE | {"bias": torch.zeros(2)}, r"size mismatch for bias: \[2\], not \[3\]"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(state, says):
    with pytest.raises(ConfigError, match=rf"'weights.key': found 'a.pth', expected a linear layer \({says}\)"):
        weights.load(nn.Linear(2, 3), state, "a.pth", key="weights.key", expected="a linear layer")


def test_old_weights_without_counted_batches_are_whole():
    norm = nn.BatchNorm2d(2)
    state = {name: tensor for name, tensor in norm.state_dict().items() if name != "num_batches_tracked"}

    weights.load(nn.BatchNorm2d(2), state, "a.pth", key="key", expected="a norm")


class Trap:
    """What runs when a pickle is trusted."""

    def __reduce__(self) -> tuple[object, ...]:
        return pytest.fail, ("the file ran",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pth", pickle.dumps(Trap(), protocol=2)),
        ("a.pth", b""),
        ("a.pth", b"no weights"),
        ("a.safetensors", b"no weights at all"),
    ],
)
def test_a_file_that_is_no_state_dict_is_refused_and_not_run(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"'weights\.key'.*a state dict"):
        weights.read(str(path), key="weights.key")


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"epoch": 3, "state_dict": {}}])
def test_a_checkpoint_around_a_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")

    with pytest.raises(ConfigError, match="names and tensors alone"):
        weights.read(str(tmp_path / "a.pth"), key="key")


def test_weights_are_named_by_their_bytes_and_random_ones_by_their_seed(tmp_path):
    for name, content in (("a.pth", b"a"), ("same.pth", b"a"), ("b.pth", b"b")):
        (tmp_path / name).write_bytes(content)

    names = [weights.named(str(tmp_path / name), 0, key="key") for name in ("a.pth", "same.pth", "b.pth")]

    assert names[0] == names[1] != names[2]
    assert weights.named("", 7, key="key") == "random7"
