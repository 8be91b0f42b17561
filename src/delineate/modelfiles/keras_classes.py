"""The classes that a Keras model from elsewhere may be made of.

All of them compute with tensors and nothing else: none holds code, opens a file or a connection, or
takes more memory than its shapes say. What delineate builds is made of them, which a test proves.
"""

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

INITIALISERS = "keras.initializers"
FUNCTIONAL = "Functional"
MODELS = frozenset({FUNCTIONAL, "Sequential"})

ALLOWED: dict[str, frozenset[str]] = {
    "keras": frozenset({"DTypePolicy", "Sequential"}),
    "keras.constraints": frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"}),
    INITIALISERS: frozenset(_INITIALISERS.split()),
    "keras.layers": frozenset(_LAYERS.split()),
    "keras.regularizers": frozenset({"L1", "L1L2", "L2"}),
    "keras.src.models.functional": frozenset({FUNCTIONAL}),
    "keras.src.ops.core": frozenset({"ConvertToTensor"}),
    "keras.src.ops.numpy": frozenset(_OPERATIONS.split()),
}
"""By module, as a configuration names it."""
