// An ansatz for 2 qubits in the manner of QAOA: the ZZ coupling and the X fields of an Ising pair in turns, two rounds.
// Angles may be affine in the inputs: both qubits share the angle of the fields, as the pair is symmetric.
OPENQASM 3.0;
include "stdgates.inc";

gate rzz(t) a, b {
  cx a, b;
  rz(t) b;
  cx a, b;
}

input float[64] coupling_1;
input float[64] field_1;
input float[64] coupling_2;
input float[64] field_2;

qubit[2] q;

h q;
rzz(2 * coupling_1) q[0], q[1];
rx(2 * field_1) q;
rzz(2 * coupling_2) q[0], q[1];
rx(2 * field_2) q;
