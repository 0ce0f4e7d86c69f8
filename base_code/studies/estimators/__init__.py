"""The lab `estimators`: signal to noise, exactly and on a trained network; a question; DReG against the plain bound.

Its file brings its core along, which it imports: lab.py's --model is not needed here.
"""

from studies.estimators import dreg, exact, question, signal_to_noise

PARTS = {"exact": exact, "signal-to-noise": signal_to_noise, "question": question, "dreg": dreg}
