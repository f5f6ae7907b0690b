"""What stands in the README of a personal export."""

README = """\
EVERYTHING THIS REGISTRY HOLDS ABOUT YOU
========================================

You may have this under the General Data Protection Regulation (GDPR): article 15 gives you
access to your data, article 20 lets you take them elsewhere. Every file is plain text, JSON, or
a recording as it was stored. Keep the whole safe: it is not encrypted any more.

What is in it
-------------
contents.json      what there is, when this was made, and what could not be read, if anything
party.json         who you are here: names, contact, keys and their history
mandates/          who may act for you, or for whom you may act
grants/            what you agreed to (or what was granted to you)
    *.html           in words, to read and print
    *.jwt            the document as it was signed (a W3C Verifiable Credential)
    *.json           how it stands now: in force, revoked, minutes used
statements/        what was said later, signed: revocations, approvals, changes of keys
uses.json          every file in which your voice speaks, or that was made under your grants:
                   title, minutes, date, and what became of it
recordings/        your recordings and other files, as they were stored, each with a .json
log/               the entries of the public log that are about you

What it is used for, who gets it, how long it stays
---------------------------------------------------
Your data are used to check, before a voice speaks, that its owner agreed to exactly that, and
to account for it afterwards. The ground is your consent (the grants), and the contract behind
it. Whoever has a grant from you sees that grant. The log is public: it holds salted digests,
from which nobody can tell who you are without the salts. Recordings, names and documents stay
until they are deleted or you are erased; records of use and of money stay as long as the law
on bookkeeping asks. No decision about you is made by a machine alone. You may ask for
corrections and for erasure, take back your consent at any time (a revocation works at once),
and complain to the data protection authority of your country.

How to check it without us
--------------------------
The log calls you, your keys, voices and grants by commitments. log/openings.json says which is
which: each is SHA-256(0x10 | salt | value), where 0x10 is the length of the salt in bytes, salt
is its 16 bytes, and value is the text in UTF-8. Every log/NNN.json is an entry as it stands in
the log; the .tlog-proof of the same name (c2sp.org/tlog-proof) proves that it is there, against
the key in log/vkey. A recording's commitment is made the same way, of the SHA-256 of the file
in hex. A .jwt is signed with Ed25519 by the did:key in its header.
"""
