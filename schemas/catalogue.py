"""Every table of the warehouse, by name: what set-up creates, docs list and tests walk."""

from schemas.attribute_definitions import ATTRIBUTE_DEFINITIONS
from schemas.attributes import ATTRIBUTES
from schemas.audit_items import AUDIT_ITEMS
from schemas.audit_samples import AUDIT_SAMPLES
from schemas.audits import AUDITS
from schemas.catalog_attributes import CATALOG_ATTRIBUTES
from schemas.chunks import CHUNKS
from schemas.decisions import DECISIONS
from schemas.examples import EXAMPLES
from schemas.gates import GATES
from schemas.image_features import IMAGE_FEATURES
from schemas.image_texts import IMAGE_TEXTS
from schemas.predictions import PREDICTIONS
from schemas.product_pictures import PRODUCT_PICTURES
from schemas.products import PRODUCTS
from schemas.quarantine import QUARANTINE
from schemas.review_queue import REVIEW_QUEUE
from schemas.runs import RUNS
from schemas.scores import SCORES
from schemas.switches import SWITCHES
from schemas.table import Table
from schemas.vocabularies import VOCABULARIES

WAREHOUSE: dict[str, Table] = {
    table.name: table
    for table in (
        ATTRIBUTE_DEFINITIONS,
        PRODUCTS,
        PRODUCT_PICTURES,
        CATALOG_ATTRIBUTES,
        IMAGE_TEXTS,
        IMAGE_FEATURES,
        EXAMPLES,
        VOCABULARIES,
        CHUNKS,
        PREDICTIONS,
        AUDIT_SAMPLES,
        AUDIT_ITEMS,
        AUDITS,
        GATES,
        SWITCHES,
        DECISIONS,
        ATTRIBUTES,
        REVIEW_QUEUE,
        QUARANTINE,
        RUNS,
        SCORES,
    )
}
