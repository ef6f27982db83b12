# ---
# jupyter:
#   kernelspec:
#     display_name: P
#     name: python3
# ---

# %% [markdown] tags=["nbcourier"]
# # Run {{ run }}

# %% tags=["parameters"]
run = 0

#%% {"a": 1}
# %matplotlib inline
x = """
# %% no
"""
# %% language="bash" magic_args="-e"
# ls
