"""ResNet 18 and 34 are those of torchvision, whose checkpoints they take."""

from collections import OrderedDict

import keras
import numpy as np
import pytest

from tests.models.encoders.making import encoder_model, picture


def torchvision_like(torch, blocks):
    """Return a ResNet of basic blocks with torchvision's names, of random weights and statistics."""
    nn = torch.nn

    def convolved(before, after, kernel, stride):
        return nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.conv1, self.bn1 = convolved(before, after, 3, stride), nn.BatchNorm2d(after)
            self.conv2, self.bn2 = convolved(after, after, 3, 1), nn.BatchNorm2d(after)
            self.downsample = nn.Identity()
            if stride > 1:
                self.downsample = nn.Sequential(
                    convolved(before, after, 1, stride), nn.BatchNorm2d(after)
                )

        def forward(self, x):
            inner = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.downsample(x) + self.bn2(self.conv2(inner)))

    parts = OrderedDict(conv1=convolved(3, 64, 7, 2), bn1=nn.BatchNorm2d(64), relu=nn.ReLU())
    parts["maxpool"] = nn.MaxPool2d(3, 2, 1)
    before = 64
    for number, count in enumerate(blocks, start=1):
        after = 32 * 2**number
        strides = [1 if number == 1 else 2] + [1] * (count - 1)
        inputs = [before] + [after] * (count - 1)
        stage = [
            Block(channels, after, each) for channels, each in zip(inputs, strides, strict=True)
        ]
        parts[f"layer{number}"], before = nn.Sequential(*stage), after
    model = nn.Sequential(parts).eval()
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


@pytest.mark.parametrize(
    ("name", "blocks"), [("resnet18", (2, 2, 2, 2)), ("resnet34", (3, 4, 6, 3))]
)
def test_a_checkpoint_of_torchvision_gives_what_it_gives_there(name, blocks, tmp_path):
    torch = pytest.importorskip("torch")
    theirs = torchvision_like(torch, blocks)
    torch.save(theirs.state_dict(), tmp_path / "checkpoint.pth")
    image = picture() / 255
    values = (image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    tensor = torch.from_numpy(values.astype(np.float32)).permute(0, 3, 1, 2)
    expected = []
    with torch.no_grad():
        for part, module in theirs.named_children():
            tensor = module(tensor)
            if part == "relu" or part.startswith("layer"):
                expected.append(tensor.permute(0, 2, 3, 1).numpy())
    ours = encoder_model(name, weights=str(tmp_path / "checkpoint.pth"))
    for one, other in zip(ours(image, training=False), expected, strict=True):
        found = keras.ops.convert_to_numpy(one)
        np.testing.assert_allclose(found, other, rtol=1e-3, atol=1e-3 * np.abs(other).max())
