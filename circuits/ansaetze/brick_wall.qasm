// An ansatz for 4 qubits: a brick wall. Each qubit turns about Y and Z, CX gates on even bonds, again, CX gates on odd
// bonds, again. Name it as a variational preparation's circuit; every input is a free angle in radians.
OPENQASM 3.0;
include "stdgates.inc";

input float[64] theta_0;
input float[64] theta_1;
input float[64] theta_2;
input float[64] theta_3;
input float[64] theta_4;
input float[64] theta_5;
input float[64] theta_6;
input float[64] theta_7;
input float[64] theta_8;
input float[64] theta_9;
input float[64] theta_10;
input float[64] theta_11;
input float[64] theta_12;
input float[64] theta_13;
input float[64] theta_14;
input float[64] theta_15;
input float[64] theta_16;
input float[64] theta_17;
input float[64] theta_18;
input float[64] theta_19;

qubit[4] q;

ry(theta_0) q[0];
ry(theta_1) q[1];
ry(theta_2) q[2];
ry(theta_3) q[3];
rz(theta_4) q[0];
rz(theta_5) q[1];
rz(theta_6) q[2];
rz(theta_7) q[3];

// even bonds
cx q[0], q[1];
cx q[2], q[3];
ry(theta_8) q[0];
ry(theta_9) q[1];
ry(theta_10) q[2];
ry(theta_11) q[3];
rz(theta_12) q[0];
rz(theta_13) q[1];
rz(theta_14) q[2];
rz(theta_15) q[3];

// the odd bond
cx q[1], q[2];
ry(theta_16) q[1];
ry(theta_17) q[2];
rz(theta_18) q[1];
rz(theta_19) q[2];
