/* What every compiled twin says of itself; as EDITION in twins.py. */

#define EDITION 1
