#pragma once
/*
 * mutants - transcripts that no CLI has said, but its next version might
 *
 * Of what was said, one JSON value a line, each line is once missing, cut in
 * half and said twice, and each member of each object is once missing, named
 * otherwise, null, a number, an empty string and an empty object.
 */
#include "proto/buf.h"

typedef void mutant_fn(struct str said);

void mutants_each(struct str said, mutant_fn *);
