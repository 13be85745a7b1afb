"""Marks + truth -> ROC, FROC, intervals, comparisons, report. numpy only, no torch."""
