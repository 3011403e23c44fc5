"""pairs.py RESULT_DIR PAIRS.csv [confirmed]   the pairs of a result of `counterfoil match`, as eval.py reads them

With "confirmed" only matches that stand by themselves, without those that wait for a person."""
import sys, polars as pl
result, out = sys.argv[1:3]
m = pl.read_csv(f"{result}/matches.csv", infer_schema_length=0)
if sys.argv[3:] == ["confirmed"]:
    m = m.filter(pl.col("tier") == "confirmed")
left = m.filter(pl.col("left_id").is_not_null() & (pl.col("left_id") != "")).select("match", bank_id="left_id")
right = m.filter(pl.col("right_id").is_not_null() & (pl.col("right_id") != "")).select("match", ledger_id="right_id")
left.join(right, on="match").select("bank_id", "ledger_id").write_csv(out)
