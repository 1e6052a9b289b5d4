import copy

import pytest
import torch
from torch import nn

from fuseline.data.modalities.image.folding import fold
from fuseline.data.modalities.image.networks import build_image_encoder

PIXELS = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Convolution, normalisation and activation, with a twist in `forward`."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU6()

    def forward(self, x):
        return self.act(self.norm(self.conv(x)))


class ChangedBetween(Net):
    def forward(self, x):
        states = self.norm(self.conv(x))
        states += 1.0
        return self.act(states)


class UsedTwice(Net):
    def forward(self, x):
        states = self.norm(self.conv(x))
        return self.act(states) + states


class RunTwice(Net):
    def forward(self, x):
        return self.act(self.norm(self.conv(x))) + self.act(self.norm(self.conv(1 - x)))


class ActivatesAlone(Net):
    def forward(self, x):
        states = self.norm(self.conv(x))
        return self.act(states) + self.act(2 * x.mean() - states)


def trained(network):
    """With statistics as training leaves them."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            nn.init.normal_(module.weight, 1.0, 0.2)
            nn.init.normal_(module.bias)
    return network.eval().requires_grad_(False)


def kinds(network):
    return [type(module) for module in network.modules()]


def test_a_chain_becomes_one_convolution_and_an_activation_in_place():
    network = trained(Net())
    before = copy.deepcopy(network.state_dict())
    folded = fold(network, PIXELS, torch.float32)
    assert nn.BatchNorm2d not in kinds(folded)
    assert folded.act.inplace
    assert torch.allclose(folded(PIXELS), network(PIXELS), atol=1e-5)
    assert nn.BatchNorm2d in kinds(network)
    assert not network.act.inplace
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("kind", [ChangedBetween, UsedTwice, RunTwice, ActivatesAlone])
def test_what_is_no_plain_chain_keeps_its_function_and_its_input(kind):
    network = trained(kind())
    pixels = PIXELS.clone()
    folded = fold(network, PIXELS, torch.float32)
    assert torch.allclose(folded(pixels), network(PIXELS), atol=1e-5)
    assert torch.equal(pixels, PIXELS)
    assert folded.act.inplace == (kind is RunTwice)
    assert (nn.BatchNorm2d in kinds(folded)) == (kind in (RunTwice, UsedTwice))


def test_weights_in_bfloat16_give_what_autocast_gives():
    network = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(3600, 5)))
    folded = fold(network, PIXELS, torch.bfloat16)
    assert {value.dtype for value in folded.state_dict().values()} == {torch.bfloat16}
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(folded(PIXELS), network(PIXELS))


def test_the_built_in_encoder_is_folded_whole():
    network = build_image_encoder("efficientnet_lite0", 2, weights=True)
    pixels = 255 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    folded = fold(network, pixels, torch.float32)
    assert nn.BatchNorm2d not in kinds(folded)
    # The odd paddings of the five layers that halve the picture.
    assert kinds(folded).count(nn.ZeroPad2d) == 5
    assert (folded.dim, folded.grid, folded.revision) == (1280, 2, network.revision)
    expected = network(pixels)
    assert torch.allclose(folded(pixels), expected, atol=1e-4 * float(expected.max()))
