"""DECORATORS OF ONE'S OWN: functions around steps, and mutators of steps and flows."""
