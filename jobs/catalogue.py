"""The catalogue as the warehouse has it: products, pictures, what was read off these, and definitions."""

from typing import NamedTuple

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame

from extractor.errors import ConfigError
from jobs.tables import Tables
from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS


class Catalogue(NamedTuple):
    """The tables that are read, each at one version."""

    products: DataFrame
    """The current ones."""
    pictures: DataFrame
    texts: DataFrame
    features: DataFrame
    definitions: DataFrame


def read(tables: Tables, *, where: str | Column = "") -> Catalogue:
    """What stands in the warehouse now; a catalogue may have no pictures, but it has products and definitions."""
    products = tables.read(PRODUCTS).where("is_current")
    return Catalogue(
        products=products if isinstance(where, str) and not where else wanted(products, where),
        pictures=tables.read_or_empty(PRODUCT_PICTURES),
        texts=tables.read_or_empty(IMAGE_TEXTS),
        features=tables.read_or_empty(IMAGE_FEATURES),
        definitions=tables.read(ATTRIBUTE_DEFINITIONS),
    )


def wanted(products: DataFrame, where: str | Column) -> DataFrame:
    """The products that an operator's condition names."""
    try:
        return products.where(where)
    except (ParseException, AnalysisException) as error:
        found = f"{where} ({error.getCondition() or 'not understood'})"
        raise ConfigError("enrich.where", found, f"SQL over {', '.join(products.columns)}") from error
