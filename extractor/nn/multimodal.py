"""Words, regions and OCR words as rows of one width (M4C's input embeddings, MODELS 1).

B products, M text slots ([CLS] first), O regions, N OCR words, D model width, F word-vector width, V feature width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from extractor import phoc

PLACE_DIM = 7
"""x1, y1, x2, y2, confidence, height beside the tallest token, on another picture than the main one."""


class Detected(nn.Module):
    """L2norm(ReLU(fc7 x)): the detector's last layer, which may go on learning; width 0 takes the vector as it is."""

    def __init__(self, feature_dim: int, fc7: int) -> None:
        super().__init__()
        self.fc7 = nn.Linear(feature_dim, fc7) if fc7 and feature_dim else None
        self.width = fc7 if self.fc7 is not None else feature_dim
        # What all pictures share says nothing, and in frozen features it is most of the vector.
        self.mean, self.deviation = nn.Buffer(torch.zeros(feature_dim)), nn.Buffer(torch.ones(feature_dim))

    def forward(self, feature: Tensor) -> Tensor:
        """[..., width] of [..., V]; an absent vector (zeros) stays zeros."""
        absent = (feature == 0).all(-1, keepdim=True)
        feature = (feature - self.mean) / self.deviation
        if self.fc7 is not None:
            feature = F.relu(self.fc7(feature))
        return F.normalize(feature, dim=-1, eps=1e-12).masked_fill(absent, 0.0)


class Slots(nn.Module):
    """The three kinds of input, each with its own projection, as M4C adds them: LN(W f) + LN(W box)."""

    def __init__(
        self,
        *,
        width: int,
        text_dim: int,
        word_dim: int,
        feature_dim: int,
        fc7: int,
        dropout: float,
        num_learnt: int = 0,
    ) -> None:
        super().__init__()
        # Frozen states tell what a word means, not what it says of this catalogue's values: a brand makes boots.
        self.own = nn.Embedding(1 + num_learnt, width, padding_idx=0) if num_learnt else None
        same = text_dim == width  # S0: BERT's own 768, taken as it is
        self.text = nn.Identity() if same else nn.Sequential(nn.Linear(text_dim, width), nn.LayerNorm(width))
        self.region_detected = Detected(feature_dim, fc7)
        self.ocr_detected = Detected(feature_dim, fc7)  # of its own, as in M4C's code
        self.region = nn.Linear(self.region_detected.width, width) if feature_dim else None
        self.ocr = nn.Linear(word_dim + phoc.DIM + self.ocr_detected.width, width)
        self.region_box, self.ocr_place = nn.Linear(4, width), nn.Linear(PLACE_DIM, width)
        self.region_norm, self.region_box_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ocr_norm, self.ocr_place_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        if self.own is not None:
            nn.init.zeros_(self.own.weight)

    def owned(self, own_BK: Tensor) -> Tensor:
        """[B, K, D] of the words that have an embedding of their own, by number; zeros for 0, which has none.

        All at once: each look-up costs a gradient of the whole table.
        """
        if self.own is None:
            return self.region_box.weight.new_zeros(*own_BK.shape, self.region_box.out_features)
        own_BKD: Tensor = self.dropout(self.own(own_BK))
        return own_BKD

    def words(self, text_BMX: Tensor, own_BMD: Tensor) -> Tensor:
        """x_text [B, M, D]."""
        row_BMD: Tensor = self.text(text_BMX)
        return row_BMD + own_BMD

    def regions(self, region_BOV: Tensor, box_BO4: Tensor) -> Tensor:
        """x_obj [B, O, D]."""
        if self.region is None:
            return box_BO4.new_zeros(*box_BO4.shape[:2], self.region_box.out_features)
        seen_BOD = self.region_norm(self.region(self.region_detected(region_BOV)))
        row_BOD: Tensor = self.dropout(seen_BOD + self.region_box_norm(self.region_box(box_BO4)))
        return row_BOD

    def tokens(
        self, word_BNF: Tensor, phoc_BNP: Tensor, visual_BNV: Tensor, place_BN7: Tensor, own_BND: Tensor
    ) -> Tensor:
        """x_ocr [B, N, D]: meaning, spelling, look and place."""
        parts = (F.normalize(word_BNF, dim=-1, eps=1e-12), F.normalize(phoc_BNP, dim=-1, eps=1e-12))
        feature_BNI = torch.cat([*parts, self.ocr_detected(visual_BNV)], dim=-1)
        seen_BND = self.ocr_norm(self.ocr(feature_BNI))
        row_BND: Tensor = self.dropout(seen_BND + self.ocr_place_norm(self.ocr_place(place_BN7)))
        return row_BND + own_BND
