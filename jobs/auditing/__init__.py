"""What people judge: samples drawn for them, work sheets, and what their verdicts prove."""
