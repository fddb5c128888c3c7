"""`make bench`: triagebook timed beside other tools in one run, alternating, with medians. Figures are ratios of one run."""
