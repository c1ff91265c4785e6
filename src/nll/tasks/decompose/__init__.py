"""Why a score is what it is: calibration, discrimination, uncertainty; and where a difference comes from."""
