class ProductCode:
    def __init__(self,*a): self.functions=[]
    def declarations(self): return []
