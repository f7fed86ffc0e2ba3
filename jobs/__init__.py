"""The works: Spark, Delta, MLflow. A job reads tables, calls pure functions, writes tables."""
