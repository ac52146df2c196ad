"""Hold the outcomes of measurements, and compute their moments."""

from qep_qiskit.outcomes.bits import BitMemory as BitMemory
from qep_qiskit.outcomes.bits import BitOutcomes as BitOutcomes
from qep_qiskit.outcomes.bits import Distribution as Distribution
from qep_qiskit.outcomes.bits import bits_of as bits_of
from qep_qiskit.outcomes.covariances import is_none as is_none
from qep_qiskit.outcomes.covariances import no_covariance as no_covariance
from qep_qiskit.outcomes.covariances import variance_of as variance_of
from qep_qiskit.outcomes.interface import ExactMeans as ExactMeans
from qep_qiskit.outcomes.interface import GroupMoments as GroupMoments
from qep_qiskit.outcomes.interface import Outcomes as Outcomes
from qep_qiskit.outcomes.interface import ReadoutErrorModel as ReadoutErrorModel
from qep_qiskit.outcomes.interface import unpacked as unpacked
