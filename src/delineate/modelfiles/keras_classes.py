"""The classes that a Keras model from elsewhere may be made of, and where in it they may stand.

All of them compute with tensors and nothing else: none holds code, opens a file or a connection, or
takes more memory than its shapes say. What delineate builds is made of them, which a test proves.
"""

Table = dict[str, frozenset[str]]
"""Names of classes by their module, as a configuration has them."""

_LAYERS = """
Activation AdaptiveAveragePooling2D AdaptiveMaxPooling2D Add AlphaDropout Average AveragePooling2D
BatchNormalization Concatenate Conv2D Conv2DTranspose Cropping2D Dense DepthwiseConv2D Dropout ELU
Flatten GaussianDropout GaussianNoise GlobalAveragePooling2D GlobalMaxPooling2D GroupNormalization
Identity InputLayer LayerNormalization LeakyReLU MaxPooling2D Maximum Minimum MultiHeadAttention
Multiply Normalization PReLU Permute RMSNormalization ReLU Rescaling Reshape Resizing
SeparableConv2D Softmax SpatialDropout2D Subtract UnitNormalization UpSampling2D ZeroPadding2D
"""
_INITIALISERS = """
Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones
Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
"""
# What arithmetic on tensors becomes in a graph, such as `image + 3.0`.
_OPERATIONS = "Add Divide Maximum Minimum Multiply Negative Subtract TrueDivide"
# All of Keras's but glu, which gives half of what it takes, and threshold, which a name cannot say.
_ACTIVATIONS = """
celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear
log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign
sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink
"""

INITIALISERS = "keras.initializers"
FUNCTIONAL = "Functional"
MODELS = frozenset({FUNCTIONAL, "Sequential"})
POLICY = "DTypePolicy"
ACTIVATIONS = frozenset(_ACTIVATIONS.split())
"""The names of activations."""

IN_GRAPH: Table = {
    "keras": frozenset({"Sequential"}),
    "keras.layers": frozenset(_LAYERS.split()),
    "keras.src.models.functional": frozenset({FUNCTIONAL}),
    "keras.src.ops.core": frozenset({"ConvertToTensor"}),
    "keras.src.ops.numpy": frozenset(_OPERATIONS.split()),
}
"""What may stand among the layers of a model, and nowhere else."""

# A layer in place of an activation's name is called, but Keras does not ask it for its shape.
_AS_ACTIVATION: Table = {"keras.layers": frozenset({"ELU", "LeakyReLU", "ReLU", "Softmax"})}
_AS_TYPE: Table = {"keras": frozenset({POLICY})}
_AS_INITIALISER: Table = {INITIALISERS: frozenset(_INITIALISERS.split())}

ALLOWED: Table = IN_GRAPH | _AS_INITIALISER | {"keras": IN_GRAPH["keras"] | _AS_TYPE["keras"]}
"""All of them, wherever they may stand."""


def allowed_at(key: str) -> Table:
    """Return the classes of the objects that a setting of a layer may be.

    Args:
        key: The name of the setting.
    """
    if key.endswith("_initializer"):
        return _AS_INITIALISER
    return {"activation": _AS_ACTIVATION, "dtype": _AS_TYPE}.get(key, {})
