"""What pages for people are made of: products as they are now, their pictures, the words that were read."""

from functools import cache

from PIL import Image
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from extractor import images
from extractor.errors import BackendError, ContractError
from extractor.records import Box, Evidence
from jobs.pages.cards import Open, Page
from schemas.enums import Source, Status


def pages_of(products: DataFrame, pictures: DataFrame, product_ids: set[str]) -> dict[str, Page]:
    """The pages of some products."""
    readable = (
        pictures.where((F.col("status") == Status.OK) & F.col("image_hash").isNotNull())
        .groupBy("product_id")
        .agg(F.sort_array(F.collect_list(F.struct("position", "image_hash"))).alias("pictures"))
    )
    rows = products.where(F.col("product_id").isin(list(product_ids))).join(readable, on="product_id", how="left")
    return {
        row.product_id: Page(
            product_id=row.product_id,
            product_type=row.product_type,
            title=row.title,
            bullets=tuple(row.bullets),
            pictures=tuple(dict.fromkeys(picture.image_hash for picture in row.pictures or ())),
        )
        for row in rows.select("product_id", "product_type", "title", "bullets", "pictures").collect()
    }


def opener(pictures: DataFrame, root: str, limits: images.Config) -> Open:
    """Opens pictures by hash, each once; None for one that is gone or broken since it was read, or out of reach."""

    @cache
    def open_picture(image_hash: str) -> Image.Image | None:
        row = pictures.where(F.col("image_hash") == image_hash).select("uri").orderBy("uri").first()
        if row is None:
            return None
        try:
            return Image.fromarray(images.decode(images.open_bytes(root, row.uri, limits), limits).rgb)
        except (ContractError, BackendError):
            return None  # imported readings name pictures that we may not have, a store may be away: we do without

    return open_picture


def evidence(word: Row) -> Evidence:
    """One word of predictions.evidence as the extractor knows it."""
    fields = word.asDict(recursive=True)
    box = fields.pop("box")
    return Evidence(**{**fields, "source": Source(fields["source"]), "box": None if box is None else Box(**box)})
