"""PyTorch's side: small writings of the published architectures, with torchvision's or timm's names.

Only what the names and the arithmetic need: no classifier's dropout, no options.
"""

import math
import re

import torch
from torch import nn
from torch.nn import functional

STAGES_OF_MOBILENET = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
STAGES_OF_EFFICIENTNET = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)


def rounded(filters, width):
    """The nearest multiple of eight that is at least nine tenths."""
    wanted = filters * width
    found = max(8, int(wanted + 4) // 8 * 8)
    return found + 8 if found < 0.9 * wanted else found


class Convolution(nn.Conv2d):
    """With padding on all sides alike, or as TensorFlow pads."""

    def __init__(self, before, after, size, stride=1, groups=1, bias=False, same=False):
        super().__init__(before, after, size, stride, size // 2, groups=groups, bias=bias)
        self.same = same and stride > 1

    def forward(self, x):
        if not self.same:
            return super().forward(x)
        size, stride = self.kernel_size[0], self.stride[0]
        pads = [
            max((math.ceil(n / stride) - 1) * stride + size - n, 0)
            for n in (x.shape[3], x.shape[2])
        ]
        x = functional.pad(x, [part for n in pads for part in (n // 2, n - n // 2)])
        return functional.conv2d(x, self.weight, self.bias, self.stride, 0, 1, self.groups)


def unit(before, after, size, stride=1, groups=1, *, activation=nn.ReLU6, eps=1e-5):
    parts = [Convolution(before, after, size, stride, groups), nn.BatchNorm2d(after, eps)]
    return nn.Sequential(*parts, *([activation()] if activation else []))


class Features(nn.Module):
    """Keeps what each of its stages gives."""

    def forward(self, x):
        found = []
        for stage in self.stages():
            x = stage(x)
            found.append(x)
        return found


# MobileNetV2


class InvertedOfTorchvision(nn.Module):
    def __init__(self, before, after, stride, expand):
        super().__init__()
        inner = before * expand
        parts = [unit(before, inner, 1)] if expand > 1 else []
        parts += [
            unit(inner, inner, 3, stride, inner),
            nn.Conv2d(inner, after, 1, bias=False),
            nn.BatchNorm2d(after),
        ]
        self.conv = nn.Sequential(*parts)
        self.adds = stride == 1 and before == after

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNetOfTorchvision(Features):
    def __init__(self, width):
        super().__init__()
        before = rounded(32, width)
        parts = [unit(3, before, 3, 2)]
        for expand, filters, count, stride in STAGES_OF_MOBILENET:
            for number in range(count):
                after = rounded(filters, width)
                parts.append(InvertedOfTorchvision(before, after, 1 if number else stride, expand))
                before = after
        last = rounded(1280, max(1.0, width))
        self.features = nn.Sequential(*parts, unit(before, last, 1))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(last, 10))

    def stages(self):
        return self.features


class InvertedOfTimm(nn.Module):
    """A block of timm's MobileNetV2 and EfficientNet."""

    def __init__(
        self,
        before,
        after,
        stride,
        expand,
        *,
        size=3,
        activation=nn.ReLU6,
        squeeze=0,
        eps=1e-5,
        same=False,
    ):
        super().__init__()
        inner, self.expand, self.act = before * expand, expand, activation()
        if expand > 1:
            self.conv_pw, self.bn1 = Convolution(before, inner, 1), nn.BatchNorm2d(inner, eps)
        self.conv_dw = Convolution(inner, inner, size, stride, inner, same=same)
        self.se = Squeeze(inner, squeeze) if squeeze else nn.Identity()
        project, last = Convolution(inner, after, 1), nn.BatchNorm2d(after, eps)
        if expand > 1:
            self.bn2, self.conv_pwl, self.bn3 = nn.BatchNorm2d(inner, eps), project, last
        else:
            self.bn1, self.conv_pw, self.bn2 = nn.BatchNorm2d(inner, eps), project, last
        self.adds = stride == 1 and before == after

    def forward(self, image):
        x = image
        if self.expand > 1:
            x = self.act(self.bn1(self.conv_pw(x)))
            x = self.se(self.act(self.bn2(self.conv_dw(x))))
            x = self.bn3(self.conv_pwl(x))
        else:
            x = self.se(self.act(self.bn1(self.conv_dw(x))))
            x = self.bn2(self.conv_pw(x))
        return x + image if self.adds else x


class Squeeze(nn.Module):
    def __init__(self, channels, inner):
        super().__init__()
        self.conv_reduce, self.conv_expand = (
            nn.Conv2d(channels, inner, 1),
            nn.Conv2d(inner, channels, 1),
        )

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.conv_expand(functional.silu(self.conv_reduce(mean))))


class NetworkOfTimm(Features):
    def stages(self):
        first = nn.Sequential(self.conv_stem, self.bn1, self.act)
        blocks = [block for stage in self.blocks for block in stage]
        return [first, *blocks, nn.Sequential(self.conv_head, self.bn2, self.act)]


class MobileNetOfTimm(NetworkOfTimm):
    def __init__(self, width):
        super().__init__()
        before = rounded(32, width)
        self.conv_stem, self.bn1, self.act = (
            Convolution(3, before, 3, 2),
            nn.BatchNorm2d(before),
            nn.ReLU6(),
        )
        stages = []
        for expand, filters, count, stride in STAGES_OF_MOBILENET:
            stage = []
            for number in range(count):
                after = rounded(filters, width)
                stage.append(InvertedOfTimm(before, after, 1 if number else stride, expand))
                before = after
            stages.append(nn.Sequential(*stage))
        self.blocks = nn.Sequential(*stages)
        last = rounded(1280, max(1.0, width))
        self.conv_head, self.bn2 = Convolution(before, last, 1), nn.BatchNorm2d(last)
        self.classifier = nn.Linear(last, 10)


# EfficientNet


class EfficientNetOfTimm(NetworkOfTimm):
    def __init__(self, *, eps=1e-5, same=False):
        super().__init__()
        before = 32
        self.conv_stem, self.act = Convolution(3, before, 3, 2, same=same), nn.SiLU()
        self.bn1 = nn.BatchNorm2d(before, eps)
        stages = []
        for expand, after, count, stride, size in STAGES_OF_EFFICIENTNET:
            stage = []
            for number in range(count):
                options = {
                    "size": size,
                    "activation": nn.SiLU,
                    "squeeze": before // 4,
                    "eps": eps,
                    "same": same,
                }
                stage.append(
                    InvertedOfTimm(before, after, 1 if number else stride, expand, **options)
                )
                before = after
            stages.append(nn.Sequential(*stage))
        self.blocks = nn.Sequential(*stages)
        self.conv_head, self.bn2 = Convolution(before, 1280, 1), nn.BatchNorm2d(1280, eps)
        self.classifier = nn.Linear(1280, 10)


class SqueezeOfTorchvision(nn.Module):
    def __init__(self, channels, inner):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(functional.silu(self.fc1(x.mean((2, 3), keepdim=True)))))


class MBConv(nn.Module):
    def __init__(self, before, after, stride, expand, size, eps):
        super().__init__()
        inner = before * expand
        parts = [unit(before, inner, 1, activation=nn.SiLU, eps=eps)] if expand > 1 else []
        parts += [
            unit(inner, inner, size, stride, inner, activation=nn.SiLU, eps=eps),
            SqueezeOfTorchvision(inner, before // 4),
            unit(inner, after, 1, activation=None, eps=eps),
        ]
        self.block = nn.Sequential(*parts)
        self.adds = stride == 1 and before == after

    def forward(self, x):
        return x + self.block(x) if self.adds else self.block(x)


class EfficientNetOfTorchvision(Features):
    def __init__(self, width=1.0, depth=1.0, eps=1e-5):
        super().__init__()
        before, last = rounded(32, width), rounded(1280, width)
        parts = [unit(3, before, 3, 2, activation=nn.SiLU, eps=eps)]
        for expand, filters, count, stride, size in STAGES_OF_EFFICIENTNET:
            stage = []
            for number in range(math.ceil(count * depth)):
                after = rounded(filters, width)
                stage.append(MBConv(before, after, 1 if number else stride, expand, size, eps))
                before = after
            parts.append(nn.Sequential(*stage))
        self.features = nn.Sequential(*parts, unit(before, last, 1, activation=nn.SiLU, eps=eps))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(last, 10))

    def stages(self):
        inner = [block for stage in list(self.features)[1:-1] for block in stage]
        return [self.features[0], *inner, self.features[-1]]


# DenseNet


class DenseLayer(nn.Module):
    def __init__(self, before):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(before), nn.Conv2d(before, 128, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(128), nn.Conv2d(128, 32, 3, padding=1, bias=False)

    def forward(self, x):
        new = self.conv2(torch.relu(self.norm2(self.conv1(torch.relu(self.norm1(x))))))
        return torch.cat([x, new], 1)


class Transition(nn.Module):
    def __init__(self, before):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(before), nn.Conv2d(before, before // 2, 1, bias=False)

    def forward(self, x):
        return functional.avg_pool2d(self.conv(torch.relu(self.norm(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, blocks=(6, 12, 24, 16)):
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, 64, 7, 2, 3, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(64))
        channels = 64
        for stage, count in enumerate(blocks, start=1):
            block = nn.Sequential()
            for number in range(1, count + 1):
                block.add_module(f"denselayer{number}", DenseLayer(channels))
                channels += 32
            self.features.add_module(f"denseblock{stage}", block)
            if stage < len(blocks):
                self.features.add_module(f"transition{stage}", Transition(channels))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, 10)

    def forward(self, x):
        x = torch.relu(self.features.norm0(self.features.conv0(x)))
        found = [x]
        x = functional.max_pool2d(x, 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self.features, f"denseblock{stage}")(x)
            found.append(x)
            if stage < 4:
                x = getattr(self.features, f"transition{stage}")(x)
        return [*found, torch.relu(self.features.norm5(x))]


# ResNet


class Bottleneck(nn.Module):
    def __init__(self, before, inner, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = (
            nn.Conv2d(inner, inner, 3, stride, 1, bias=False),
            nn.BatchNorm2d(inner),
        )
        self.conv3, self.bn3 = nn.Conv2d(inner, 4 * inner, 1, bias=False), nn.BatchNorm2d(4 * inner)
        if stride > 1 or before != 4 * inner:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, 4 * inner, 1, stride, bias=False), nn.BatchNorm2d(4 * inner)
            )

    def forward(self, image):
        x = torch.relu(self.bn1(self.conv1(image)))
        x = torch.relu(self.bn2(self.conv2(x)))
        shortcut = self.downsample(image) if hasattr(self, "downsample") else image
        return torch.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet(Features):
    def __init__(self, blocks):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        before = 64
        for stage, count in enumerate(blocks):
            inner, layer = 64 * 2**stage, []
            for number in range(count):
                layer.append(Bottleneck(before, inner, 2 if stage and not number else 1))
                before = 4 * inner
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.fc = nn.Linear(before, 10)

    def stages(self):
        first = nn.Sequential(self.conv1, self.bn1, nn.ReLU())
        pooled = [nn.Sequential(nn.MaxPool2d(3, 2, 1), self.layer1)]
        return [first, *pooled, self.layer2, self.layer3, self.layer4]


# Mix Transformer, with the names of SegFormer's authors


class Patches(nn.Module):
    def __init__(self, before, after, size, stride):
        super().__init__()
        self.proj = nn.Conv2d(before, after, size, stride, size // 2)
        self.norm = nn.LayerNorm(after)


class MixAttention(nn.Module):
    def __init__(self, channels, heads, reduction):
        super().__init__()
        self.heads = heads
        self.q, self.kv = nn.Linear(channels, channels), nn.Linear(channels, 2 * channels)
        self.proj = nn.Linear(channels, channels)
        if reduction > 1:
            self.sr = nn.Conv2d(channels, channels, reduction, reduction)
            self.norm = nn.LayerNorm(channels)

    def forward(self, x, height, width):
        batch, count, channels = x.shape
        seen = x
        if hasattr(self, "sr"):
            image = x.transpose(1, 2).reshape(batch, channels, height, width)
            seen = self.norm(self.sr(image).flatten(2).transpose(1, 2))
        q = self.q(x).reshape(batch, count, self.heads, -1).transpose(1, 2)
        k, v = (
            self.kv(seen)
            .reshape(batch, -1, 2, self.heads, channels // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        weights = (q @ k.transpose(2, 3) / math.sqrt(channels // self.heads)).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, count, channels))


class DepthwiseOfTokens(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)

    def forward(self, x, height, width):
        image = x.transpose(1, 2).reshape(len(x), -1, height, width)
        return self.dwconv(image).flatten(2).transpose(1, 2)


class MixBlock(nn.Module):
    def __init__(self, channels, heads, reduction):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels, 1e-6), nn.LayerNorm(channels, 1e-6)
        self.attn = MixAttention(channels, heads, reduction)
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = (
            nn.Linear(channels, 4 * channels),
            nn.Linear(4 * channels, channels),
        )
        self.mlp.dwconv = DepthwiseOfTokens(4 * channels)

    def forward(self, x, height, width):
        x = x + self.attn(self.norm1(x), height, width)
        inner = self.mlp.dwconv(self.mlp.fc1(self.norm2(x)), height, width)
        return x + self.mlp.fc2(functional.gelu(inner))


class MixTransformer(nn.Module):
    def __init__(self, counts=(2, 2, 2, 2), widths=(32, 64, 160, 256)):
        super().__init__()
        before = 3
        parts = zip(
            counts, widths, (7, 3, 3, 3), (4, 2, 2, 2), (1, 2, 5, 8), (8, 4, 2, 1), strict=True
        )
        for stage, (count, width, size, stride, heads, reduction) in enumerate(parts, start=1):
            blocks = [MixBlock(width, heads, reduction) for _ in range(count)]
            setattr(self, f"patch_embed{stage}", Patches(before, width, size, stride))
            setattr(self, f"block{stage}", nn.ModuleList(blocks))
            setattr(self, f"norm{stage}", nn.LayerNorm(width, 1e-6))
            before = width
        self.head = nn.Linear(before, 10)

    def forward(self, x):
        found = []
        for stage in range(1, 5):
            patches = getattr(self, f"patch_embed{stage}")
            x = patches.proj(x)
            batch, channels, height, width = x.shape
            x = patches.norm(x.flatten(2).transpose(1, 2))
            for block in getattr(self, f"block{stage}"):
                x = block(x, height, width)
            x = getattr(self, f"norm{stage}")(x)
            x = x.transpose(1, 2).reshape(batch, channels, height, width)
            found.append(x)
        return found


def as_hugging_face_names_it(state):
    """The tensors of a Mix Transformer under the names in transformers' SegFormer."""
    names = {
        r"patch_embed(\d)\.proj": "encoder.patch_embeddings.{}.proj",
        r"patch_embed(\d)\.norm": "encoder.patch_embeddings.{}.layer_norm",
        r"norm(\d)": "encoder.layer_norm.{}",
        r"block(\d)\.(\d+)\.norm([12])": "encoder.block.{}.{}.layer_norm_{}",
        r"block(\d)\.(\d+)\.attn\.q": "encoder.block.{}.{}.attention.self.query",
        r"block(\d)\.(\d+)\.attn\.k": "encoder.block.{}.{}.attention.self.key",
        r"block(\d)\.(\d+)\.attn\.v": "encoder.block.{}.{}.attention.self.value",
        r"block(\d)\.(\d+)\.attn\.sr": "encoder.block.{}.{}.attention.self.sr",
        r"block(\d)\.(\d+)\.attn\.norm": "encoder.block.{}.{}.attention.self.layer_norm",
        r"block(\d)\.(\d+)\.attn\.proj": "encoder.block.{}.{}.attention.output.dense",
        r"block(\d)\.(\d+)\.mlp\.fc([12])": "encoder.block.{}.{}.mlp.dense{}",
        r"block(\d)\.(\d+)\.mlp\.dwconv\.dwconv": "encoder.block.{}.{}.mlp.dwconv.dwconv",
    }
    apart = {}
    for name, value in state.items():
        if ".attn.kv." in name:
            apart[name.replace(".kv.", ".k.")], apart[name.replace(".kv.", ".v.")] = value.chunk(2)
        else:
            apart[name] = value
    renamed = {}
    for name, value in apart.items():
        module, _, part = name.rpartition(".")
        if module == "head":
            renamed[f"classifier.{part}"] = value
            continue
        pattern, new = next(each for each in names.items() if re.fullmatch(each[0], module))
        stage, *rest = re.fullmatch(pattern, module).groups()
        renamed[f"segformer.{new.format(int(stage) - 1, *rest)}.{part}"] = value
    return renamed


def randomised(network, seed=0):
    """With weights and running statistics that keep the features near one, and eval mode."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Small variances show a wrong epsilon.
            nn.init.uniform_(module.running_var, 1e-3, 0.05)
            nn.init.normal_(module.running_mean, 0, 0.05)
            nn.init.uniform_(module.weight, 0.05, 0.15)
            nn.init.normal_(module.bias, 0, 0.3)
        elif isinstance(module, nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()
