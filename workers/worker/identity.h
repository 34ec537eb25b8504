#pragma once
/*
 * identity - whether two orders ask for the same
 *
 * Two orders have the same identity if they name the same harness, model,
 * session, directory and kind, and if their bodies are the same.  White space
 * between the tokens of a body makes no difference, nor do its fields `stream`
 * and `stream_options`: a client may ask for the same answer in another form.
 *
 * The identity is a hash of 64 bits.  It is read at several GB/s, as bytes: a
 * body need not be JSON.
 */
#include "proto/msg.h"

/* Never 0. */
uint64_t identity_of(const struct msg_submit *);
