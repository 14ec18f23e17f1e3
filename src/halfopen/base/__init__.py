"""What every layer may lean on: immutable values, units, errors, chance."""
