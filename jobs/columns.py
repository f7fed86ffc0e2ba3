"""A contract as Spark sees it."""

import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType


def spark_schema(schema: pa.Schema) -> StructType:
    """The Spark type of a contract; NOT NULL holds on top only, as Delta has it."""
    struct = from_arrow_schema(schema)
    return StructType([StructField(f.name, _nullable(f.dataType), f.nullable) for f in struct.fields])


def same_types(found: StructType, expected: StructType) -> bool:
    """Same names, order and types, whatever may be null."""
    return _bare(found) == _bare(expected)


def _nullable(kind: DataType) -> DataType:
    """The type without NOT NULL inside arrays, maps and structs, which Delta cannot hold."""
    if isinstance(kind, ArrayType):
        return ArrayType(_nullable(kind.elementType), containsNull=True)
    if isinstance(kind, MapType):
        return MapType(_nullable(kind.keyType), _nullable(kind.valueType), valueContainsNull=True)
    if isinstance(kind, StructType):
        return StructType([StructField(f.name, _nullable(f.dataType), nullable=True) for f in kind.fields])
    return kind


def _bare(struct: StructType) -> list[tuple[str, DataType]]:
    return [(f.name, _nullable(f.dataType)) for f in struct.fields]
