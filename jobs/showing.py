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


def words_of(pictures: DataFrame, texts: DataFrame, product_ids: set[str]) -> dict[str, str]:
    """The words that were read on the pictures of some products; `texts` has one reading a picture."""
    said = F.concat_ws(" ", F.transform("tokens", lambda token: token["text"]))
    mine = pictures.where(F.col("product_id").isin(sorted(product_ids)))
    read = mine.join(texts.select("image_hash", said.alias("said")), on="image_hash", how="inner")
    in_order = F.sort_array(F.collect_list(F.struct("position", "said"))).alias("all")
    found = read.groupBy("product_id").agg(in_order).select("product_id", "all.said")
    return {row.product_id: " / ".join(filter(None, row.said)) for row in found.collect()}


def opener(pictures: DataFrame, root: str, limits: images.Config, *, product_ids: set[str] | None = None) -> Open:
    """Opens pictures by hash, each once; None for one that is gone or broken since it was read, or out of reach.

    Of `product_ids`, all are looked up at once, and no others: for a page that shows many.
    """
    uri_of = None if product_ids is None else _uris(pictures, product_ids)

    @cache
    def open_picture(image_hash: str) -> Image.Image | None:
        uri = _uri(pictures, image_hash) if uri_of is None else uri_of.get(image_hash)
        if uri is None:
            return None
        try:
            return Image.fromarray(images.decode(images.open_bytes(root, uri, limits), limits).rgb)
        except (ContractError, BackendError):
            return None  # imported readings name pictures that we may not have, a store may be away: we do without

    return open_picture


def _uri(pictures: DataFrame, image_hash: str) -> str | None:
    row = pictures.where(F.col("image_hash") == image_hash).select("uri").orderBy("uri").first()
    return None if row is None else row.uri


def _uris(pictures: DataFrame, product_ids: set[str]) -> dict[str, str]:
    mine = pictures.where(F.col("product_id").isin(sorted(product_ids)) & F.col("image_hash").isNotNull())
    return {row.image_hash: row.uri for row in mine.groupBy("image_hash").agg(F.min("uri").alias("uri")).collect()}


def evidence(word: Row) -> Evidence:
    """One word of predictions.evidence as the extractor knows it."""
    fields = word.asDict(recursive=True)
    box = fields.pop("box")
    return Evidence(**{**fields, "source": Source(fields["source"]), "box": None if box is None else Box(**box)})
